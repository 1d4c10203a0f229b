
# What may wait until the service answers: the CloudWatch agent. Nothing here
# ends the boot, and without the agent the service goes on.
until curl --silent --fail --output /dev/null --max-time 2 --globoff 'http://127.0.0.1:@PORT@@HEALTH@'; do sleep 1; done
cat >/etc/archipelago/agent.json <<'END'
@AGENT@
END
# The agent reads files, so the journal is followed into one. When that is full,
# the follower is killed and begins again, repeating the last lines.
cat >/etc/systemd/system/@NAME@-log.service <<'END'
[Unit]
Description=Log of @NAME@ as a file, for the CloudWatch agent

[Service]
ExecStart=/usr/bin/journalctl --follow --lines=200 --output=cat --unit=@NAME@.service --unit=@NAME@-pulse.service
StandardOutput=truncate:/var/log/@NAME@.log
LimitFSIZE=64M
LimitCORE=0
Restart=always
RestartSec=0
DynamicUser=true
SupplementaryGroups=systemd-journal
ProtectSystem=strict
ProtectHome=true
PrivateNetwork=true
PrivateDevices=true
CapabilityBoundingSet=
NoNewPrivileges=true
MemoryMax=64M

[Install]
WantedBy=multi-user.target
END
{
	dnf install --assumeyes --quiet amazon-cloudwatch-agent &&
		systemctl daemon-reload &&
		systemctl enable --now @NAME@-log.service &&
		/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl \
			-a fetch-config -m ec2 -s -c file:/etc/archipelago/agent.json
} || echo "@NAME@ runs without a CloudWatch agent: its log is in the journal only" >&2
