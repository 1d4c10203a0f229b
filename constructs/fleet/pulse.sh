# What says each ten seconds that this instance reaches the stores. Nothing here ends the
# boot, and without it the service goes on.
cat >/etc/archipelago/@NAME@-pulse.env <<'END'
@PULSE_ENVIRONMENT@
END
cat >/etc/systemd/system/@NAME@-pulse.service <<'END'
[Unit]
Description=Pulse of @NAME@: that this instance reaches the stores
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
EnvironmentFile=/etc/archipelago/@NAME@-pulse.env
ExecStart=/usr/local/bin/@NAME@-pulse
Restart=always
RestartSec=10
DynamicUser=true
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
ProtectKernelTunables=true
ProtectControlGroups=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
CapabilityBoundingSet=
NoNewPrivileges=true
CPUQuota=10%
MemoryMax=64M

[Install]
WantedBy=multi-user.target
END
{
	aws s3 cp --region @REGION@ '@PULSE_BINARY@' /usr/local/bin/@NAME@-pulse &&
		chmod 0755 /usr/local/bin/@NAME@-pulse &&
		systemctl daemon-reload &&
		systemctl enable --now --no-block @NAME@-pulse.service
} || echo "@NAME@ runs without a pulse: the lighthouse does not learn what this instance reaches" >&2
