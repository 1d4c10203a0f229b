#!/bin/bash
# First boot: fetch the service's binary and run it as a unit.
set -euo pipefail
@JOURNAL@
# A new role takes a while to be known everywhere. What has not come after sixty tries does
# not come: the boot ends, which the log says, and the group replaces the instance.
tries=0
until aws s3 cp --region @REGION@ '@BINARY@' /usr/local/bin/@NAME@; do
	tries=$((tries + 1))
	[ $tries -lt 60 ] || { echo '@NAME@ cannot be fetched from @BINARY@: the boot ends' >&2; exit 1; }
	sleep 2
done
chmod 0755 /usr/local/bin/@NAME@
mkdir -p /etc/archipelago
@SECRETS@
cat >/etc/archipelago/@NAME@.env <<'END'
@ENVIRONMENT@
END
cat >/etc/systemd/system/@NAME@.service <<'END'
[Unit]
Description=@NAME@
Wants=network-online.target
After=network-online.target
# Never given up: a service that fails while something it needs is away is back a
# second after that. An instance whose service stays away is replaced, by its
# health check.
StartLimitIntervalSec=0

[Service]
@TYPE@
EnvironmentFile=/etc/archipelago/@NAME@.env
# On the disk, the unit's own by PrivateTmp: /tmp is memory.
Environment=TMPDIR=/var/tmp
@CREDENTIALS@
ExecStart=/usr/local/bin/@NAME@
Restart=always
RestartSec=1
TimeoutStopSec=60
DynamicUser=true
StateDirectory=@NAME@
WorkingDirectory=/var/lib/@NAME@
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
ProtectKernelTunables=true
ProtectControlGroups=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
CapabilityBoundingSet=
NoNewPrivileges=true
MemoryMax=75%
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
# What follows waits for the service itself: one that fails at first is started
# again, and the boot goes on.
systemctl enable --now --no-block @NAME@.service
