# relay.sh PORT: passes bytes between its standard input and output and the server's port in this container. Ends with the
# input or with the connection.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
{ cat >&3; kill "$$"; } <&0 >/dev/null 2>&1 &
exec cat <&3
