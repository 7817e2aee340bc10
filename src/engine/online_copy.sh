# Copies the data of a running server while it keeps working. Runs in a container of the same image as the server, in the
# server's network, with its data in $DB4SCI_FROM, read-only, and an empty directory for the copy in $DB4SCI_TO.
set -eu
umask 077
# Files that no server creates are left to the copy file by file, which rejects them by name.
odd=$(find "$DB4SCI_FROM" \( -type l -o -type b -o -type c \) -print -quit 2>/dev/null || true)
if [ -n "$odd" ]; then echo "the data contains links or devices" >&2; exit 1; fi
