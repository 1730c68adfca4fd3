# shellcheck shell=bash
# What the parts of the VM rig share: where things are cached, and an apt of its own that never touches the machine's.
# Sourced, never run.
# shellcheck disable=SC2034  # the scripts use them
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

VM=$ROOT/tests/vm
VM_CACHE=$CACHE/vm
mkdir -p "$VM_CACHE"
# The matrix, oldest first. A series is a name of Linux releases; "newest" is whatever the distribution has now.
KERNELS=(5.10 6.1 6.12 6.18 newest)

# vm_skip WHY: ends with the status that CTest and scripts/test know as a skip; its reason is the last line.
vm_skip() {
    echo "SKIPPED: $*" >&2
    exit 77
}

# locked NAME COMMAND…: two runs at once do not write the same part of the cache.
locked() {
    local name=$1
    shift
    ( flock 9 && "$@" ) 9>"$VM_CACHE/$name.lock"
}

# The mirror that this machine's own apt uses for its release, so that proxies and local mirrors go on to work.
debian_mirror() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # Asked of apt, whatever the format of its sources; nothing is downloaded for this.
    apt-get update --print-uris 2>/dev/null | sed -nE "s|^'([^']*)/dists/$codename/(In)?Release'.*|\1|p" | head -n 1
}

# private_apt TOOL ARGUMENT…: apt-get or apt-cache with sources, lists and archives below the cache. It knows all the
# suites that kernels, QEMU and images come from, and can install nothing on this machine.
APT_HOME=$VM_CACHE/apt
APT_SUITES=(bullseye bookworm bookworm-backports trixie trixie-backports)
private_apt() {
    local tool=$1
    shift
    env APT_CONFIG="$APT_HOME/apt.conf" "$tool" -q "$@"
}

write_apt_home() {
    local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg suite
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || { echo "apt knows no Debian mirror here" >&2; return 1; }
    mkdir -p "$APT_HOME"/{state/lists/partial,cache/archives/partial,preferences.d}
    : >"$APT_HOME/status"
    for suite in "${APT_SUITES[@]}"; do
        echo "deb [arch=amd64${keyring:+ signed-by=$keyring}] $mirror $suite main"
    done >"$APT_HOME/sources.list"
    cat >"$APT_HOME/apt.conf" <<CONF
Dir::Etc::sourcelist "$APT_HOME/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "$APT_HOME/preferences.d";
Dir::State "$APT_HOME/state";
Dir::State::status "$APT_HOME/status";
Dir::Cache "$APT_HOME/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
}

# fresh_lists: package lists not older than a week. Old ones are better than none when the mirror does not answer.
fresh_lists() {
    if [[ -n $(find "$APT_HOME/updated" -mtime -7 2>/dev/null) ]]; then return 0; fi
    write_apt_home || return 1
    if step "Package lists of other releases" private_apt apt-get update; then
        touch "$APT_HOME/updated"
    elif [[ -e $APT_HOME/updated ]]; then
        note "going on with the package lists of $(date -r "$APT_HOME/updated" +%F)"
    else
        return 1
    fi
}

# unpack_packages FOLDER PACKAGE[=VERSION|/SUITE]…: downloads (apt checks the sums against the signed index) and
# unpacks them, all or nothing.
unpack_packages() {
    local folder=$1 work package
    shift
    work=$(mktemp -d "$VM_CACHE/unpack.XXXXXX")
    if ! (cd "$work" && private_apt apt-get download "$@"); then
        rm -rf "$work"
        return 1
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    for package in "$work"/*.deb; do dpkg -x "$package" "$folder"; done
    rm -rf "$work"
}
