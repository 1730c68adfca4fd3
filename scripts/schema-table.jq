# A Markdown table of the keys of one map of a JSON Schema, those of the maps within it under their full names.
# --arg map "" is the document itself, else the name of a definition.
. as $schema
| def kind:
    if .enum then .enum | join(", ")
    elif .pattern and (.pattern | test("ns\\|us")) then "duration"
    elif .pattern and (.pattern | test("KiB")) then "size"
    elif .pattern and (.pattern | test("%")) then "percentage"
    elif (.type | type) == "array" and (.type | index("array")) then "text or list"
    elif .type == "boolean" then "true, false"
    elif .type == "integer" and .minimum == .maximum then "\(.minimum)"
    elif .type == "integer" then "\(.minimum) to \(.maximum)"
    elif .type == "array" then "list"
    elif .type == "object" then "map"
    elif .type == "null" or .not then "nothing yet"
    else "text" end;
  def cell: gsub("\\|"; "\\|");
  def rows($prefix):
    (.required // []) as $required
    | .properties | to_entries[]
    | .key as $key | .value as $field
    | ($field["$ref"] // "" | ltrimstr("#/$defs/")) as $inner
    | if $inner != "" then $schema["$defs"][$inner] | rows("\($prefix)\($key).")
      else "| `\($prefix)\($key)` | \($field.description | cell) | \($field | kind | cell) | " +
        (if $required | index($key) then "required" elif $field | has("default") then $field.default | tostring else "" end) + " |"
      end;
  "| key | means | value | default |", "| --- | --- | --- | --- |",
  (if $map == "" then . else .["$defs"][$map] end | rows(""))
