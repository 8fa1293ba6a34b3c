# The network of the real node and its pods: a namespace of its own and a link to it. Neither rules nor settings of this
# machine change, and clusters side by side don't share the chains of kube-proxy.
# shellcheck shell=bash disable=SC2034

# A block of addresses that no route of this machine has, if there is one.
choose_network() {
  local block tries
  for tries in {1..50}; do
    block=10.$((100 + RANDOM % 100)).$((RANDOM % 64 * 4))
    if [[ -z $(ip -4 route show root "$block.0/22") && -z $(ip -4 route show match "$block.0/22" | grep -v ^default) ]]; then
      break
    fi
  done
  echo "$block" >"$STATE/network"
  read_network
}

# Its four parts: pods, Services, the link between this machine and the node, and a spare one.
read_network() {
  local first second third
  [[ -f $STATE/network ]] || return 0
  IFS=. read -r first second third <"$STATE/network"
  BLOCK=$first.$second.$third.0/22
  POD_SUBNET=$first.$second.$third.0/24
  SERVICE_SUBNET=$first.$second.$((third + 1)).0/24
  # The API server gives the Service `kubernetes` the first address.
  API_ADDRESS=$first.$second.$((third + 1)).1
  DNS_ADDRESS=$first.$second.$((third + 1)).10
  HOST_ADDRESS=$first.$second.$((third + 2)).1
  NODE_ADDRESS=$first.$second.$((third + 2)).2
}

start_network() {
  : >"$RUN/netns"
  unshare --net="$RUN/netns" true
  ip link add "$LINK" type veth peer name eth0 netns "$RUN/netns"
  ip address add "$HOST_ADDRESS/30" dev "$LINK"
  ip link set "$LINK" up
  in_node ip link set lo up
  in_node ip address add "$NODE_ADDRESS/30" dev eth0
  in_node ip link set eth0 up
  in_node ip route add default via "$HOST_ADDRESS"
  # A pod that is gone is unreachable, rather than sent back and forth over the link.
  in_node ip route add unreachable "$POD_SUBNET"
  in_node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  # From here, too, pods and Services can be reached: the API server calls webhooks, kubectl its proxy.
  ip route add "$BLOCK" via "$NODE_ADDRESS"
}

# Not `ip netns exec`, which hides the cgroups.
in_node() { nsenter --net="$RUN/netns" "$@"; }

# answers ADDRESS PORT PATH: whether it says 200.
answers() (
  exec 3<>"/dev/tcp/$1/$2"
  printf 'GET %s HTTP/1.0\r\n\r\n' "$3" >&3
  read -r -t 2 status <&3
  [[ $status == *" 200 "* ]]
)
