# wall.sh set|look|remove BRIDGE MARK, as root in the network of the engine's host: rules that keep what is behind BRIDGE
# from beginning any connection, to this machine, to other networks or to its neighbours. Answers to those who connect to
# it pass. MARK is each rule's comment. Prints "walled" where the rules stand.
set -u
PATH=$PATH:/usr/sbin:/sbin
do=$1 bridge=$2 mark=$3
command -v iptables >/dev/null 2>&1 || { echo "there is no iptables on this machine"; exit 3; }
# Docker keeps a chain for others' rules, which its own never come before.
forward=FORWARD
iptables -w 5 -n -L DOCKER-USER >/dev/null 2>&1 && forward=DOCKER-USER

# rule PROGRAM ACTION CHAIN
rule() {
  "$1" -w 5 "$2" "$3" -i "$bridge" -m conntrack ! --ctstate ESTABLISHED,RELATED -m comment --comment "$mark" -j REJECT
}
# keep PROGRAM CHAIN
keep() {
  case $do in
    look) rule "$1" -C "$2" 2>/dev/null ;;
    set) rule "$1" -C "$2" 2>/dev/null || rule "$1" -I "$2" ;;
    remove) while rule "$1" -D "$2" 2>/dev/null; do :; done ;;
  esac
}

keep iptables "$forward" && keep iptables INPUT || exit 1
# Containers have no IPv6 unless somebody gave their network one; where the machine has none, neither has the bridge.
if [ -e /proc/net/if_inet6 ] && command -v ip6tables >/dev/null 2>&1 && ip6tables -w 5 -n -L INPUT >/dev/null 2>&1; then
  keep ip6tables FORWARD && keep ip6tables INPUT || exit 1
fi
echo walled
