# wall.sh set|look|remove BRIDGE MARK, as root in the network of the engine's host: firewall rules that prevent
# everything behind BRIDGE from opening a connection to this machine, to other networks or to its neighbours. Answers to
# incoming connections pass. MARK is the comment of each rule. Prints "walled" if the rules are in place.
set -u
PATH=$PATH:/usr/sbin:/sbin
do=$1 bridge=$2 mark=$3
command -v iptables >/dev/null 2>&1 || { echo "there is no iptables on this machine"; exit 3; }
# Docker keeps a chain for the rules of other programs and always evaluates it before its own rules.
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
# Containers have no IPv6 unless their network was given it; if the machine has none, neither has the bridge.
if [ -e /proc/net/if_inet6 ] && command -v ip6tables >/dev/null 2>&1 && ip6tables -w 5 -n -L INPUT >/dev/null 2>&1; then
  keep ip6tables FORWARD && keep ip6tables INPUT || exit 1
fi
echo walled
