# Joins fragments under their headings, in the order of the list. A fragment that is none is an error, with its name and line.
#   awk -f changes/collect.awk changes/*.md
BEGIN {
  count = split("Breaking|Answers and chats|Who may do what|Command line|Clients and contracts|Neighbours and load|Disks, copies and processes", headings, "|")
  for (i = 1; i <= count; i++) known[headings[i]] = 1
}
function wrong(why) { printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"; bad = 1 }
function finish() { if (heading != "" && !items) { printf "%s: no list item under \"%s\": what does a user notice?\n", file, heading > "/dev/stderr"; bad = 1 } }
FILENAME ~ /README\.md$/ { next }
FNR == 1 { finish(); heading = ""; file = FILENAME }
FNR == 1 || /^### / {
  finish(); items = 0
  heading = $0; sub(/^### /, "", heading)
  if ($0 !~ /^### / || !(heading in known)) { wrong("expected a heading of changes/README.md, not \"" $0 "\""); heading = "" }
  next
}
/^- ./ { items++; notes[heading] = notes[heading] $0 "\n"; next }
/^$/ { next }
{ wrong("a line is a list item that begins with \"- \"") }
END {
  finish()
  if (bad) exit 1
  for (i = 1; i <= count; i++) if (headings[i] in notes) { printf "%s### %s\n\n%s", (printed++ ? "\n" : ""), headings[i], notes[headings[i]] }
}
