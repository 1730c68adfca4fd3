# shellcheck shell=bash
# The Debian package: installed, upgraded, removed, purged; nothing of it is left behind.
# Nothing in it depends on the kernel: it runs on Debian 12's own.
# kernels: 6.1
# boot: own
# timeout: 150
package=$(compgen -G "$PAYLOAD/*.deb")
original=$(</proc/sys/vm/swappiness)
swappiness_is() { [[ $(</proc/sys/vm/swappiness) == "$1" ]]; }
install_package() { DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i "$1"; }

expect "the unit is enabled" systemctl is-enabled gotuned
expect "the groups are there" getent group gotuned gotuned-admin
expect_equal "the journal's folder" "$(stat -c '%a %U %G' /run/gotuned)" "2750 root gotuned"
expect "gotuned runs from the path" gotuned --version

# A second revision of the same package.
dpkg-deb -R "$package" /tmp/next
version=$(sed -n 's/^Version: //p' /tmp/next/DEBIAN/control)
sed -i "s/^Version: .*/&+next/" /tmp/next/DEBIAN/control
dpkg-deb --root-owner-group -b /tmp/next /tmp/next.deb >/dev/null

rules <<'RULES'
version: 1
rules:
  - name: swap
    scope: host
    when: host.memory.available > 1MiB
    adjust:
      - knob: sysctl.vm.swappiness
        to: 37
    cooldown: 1s
    mode: enforce
RULES
settings "adjust: { lease: $((10 * PATIENCE))s }"
start_gotuned
eventually 20 "the rule is in force" adjustment_is swap kept
before=$(systemctl show -P InvocationID gotuned)

exec {never}<> <(:)
while :; do
    read -r value </proc/sys/vm/swappiness
    echo "$value"
    read -rt 0.01 -u "$never" || true
done >/tmp/samples &
sampler=$!
# From here on counted in the journal.
mark=$(date +%s)
expect "an upgrade succeeds" install_package /tmp/next.deb
expect "gotuned runs afterwards" unit_is gotuned active
eventually 20 "it goes on with its change" adjustment_is swap kept
holds_for 3 "which stays" swappiness_is 37
kill $sampler
expect_equal "nothing flapped, looked at each 10 ms" "$(uniq /tmp/samples)" 37
expect_not "it was restarted" test "$before" = "$(systemctl show -P InvocationID gotuned)"
starts=$(journalctl --quiet --no-pager -o cat -u gotuned --since "@$mark" | grep -c '^Started ')
expect_equal "once" "$starts" 1
expect_equal "the new version is installed" "$(dpkg-query -Wf '${Version}' gotuned)" "$version+next"
expect "the operator's gotuned.yaml stayed" grep -q lease /etc/gotuned/gotuned.yaml

systemctl disable --quiet gotuned
expect "an upgrade of a disabled service succeeds" install_package "$package"
expect_not "and leaves it disabled" systemctl is-enabled gotuned
systemctl enable --quiet gotuned
start_gotuned
eventually 20 "the rule is in force" adjustment_is swap kept
expect "with its value" swappiness_is 37

expect "the package is removed" dpkg -r gotuned
expect "which undid first" swappiness_is "$original"
expect_not "no daemon is left" pgrep -x gotuned
expect_not "no unit is left" systemctl cat gotuned.service
expect "no lease runs" unit_is gotuned-undo.timer inactive
expect "the configuration stays" test -s /etc/gotuned/gotuned.yaml
expect "the history stays" test -s /var/lib/gotuned/history.db

expect "installed again it works" install_package "$package"
expect "and runs" unit_is gotuned active
eventually 20 "with its configuration" adjustment_is swap kept

rm -rf /etc/gotuned/rulebook.d/*
expect "the package is purged" dpkg -P gotuned
expect "which undid first" swappiness_is "$original"
for group in gotuned gotuned-admin; do expect_not "no group $group is left" getent group $group; done
left=$(find / -xdev -name '*gotuned*' -not -path '/payload/*' -not -path '/proc/*' -not -path '/sys/*' -not -path '/tmp/*' \
    -not -path '/etc/gotuned.packaged*' -not -name 'gotuned-vm*' -not -path '/var/cache/*' | sort)
expect_equal "no file is left" "$left" ""
expect_equal "nor in /run" "$(find /run -name '*gotuned*' -not -name 'gotuned-vm*' -not -path '/run/systemd/*vm*' | sort)" ""
feature "package" yes
