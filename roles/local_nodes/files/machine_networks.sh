#!/bin/sh
# IPv4 networks that this machine has, one a line, for the filter networks_in_use:
#   interface NAME ADDRESS/LENGTH     route INTERFACE NETWORK     podman NAME INTERFACE NETWORK...
# A network of podman's has no interface while no container uses it.
PATH=$PATH:/usr/sbin:/sbin
ip -4 -oneline address show | awk '{ print "interface", $2, $4 }'
ip -4 route show | awk '$1 ~ /^[0-9]/ { for (i = 2; i < NF; i++) if ($i == "dev") print "route", $(i + 1), $1 }'
command -v podman >/dev/null || exit 0
podman network ls --quiet | xargs --no-run-if-empty podman network inspect \
  --format 'podman {{.Name}} {{.NetworkInterface}}{{range .Subnets}} {{.Subnet}}{{end}}'
