# From here on the journal of the boot and of the service goes to the log bucket,
# so that it is there too where what follows fails. Nothing here ends the boot.
{
	mkdir -p /etc/archipelago
	cat >/etc/archipelago/@NAME@-journal.sh <<'END'
#!/bin/bash
# Puts what the journal got since the last time into the log bucket, each minute or
# once.
state=/var/lib/@NAME@-journal
metadata=http://169.254.169.254/latest

put() {
	# The cursor is kept when the lines are in the bucket: what fails is tried again.
	cat <$state/cursor >$state/next
	# What user data prints is cloud-init's last stage's.
	journalctl --quiet --output=cat --unit=cloud-final.service --unit=@NAME@.service --unit=@NAME@-pulse.service --cursor-file=$state/next >$state/lines.txt || return
	[ -s $state/lines.txt ] || return 0
	token=$(curl --silent --fail --max-time 2 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' $metadata/api/token) || return
	instance=$(curl --silent --fail --max-time 2 --header "X-aws-ec2-metadata-token: $token" $metadata/meta-data/instance-id) || return
	aws s3 cp --region @REGION@ --only-show-errors $state/lines.txt \
		"s3://@BUCKET@/instances/@NAME@/$(date --utc +%Y-%m-%dT%H-%M-%S.%NZ)-$instance.log" &&
		mv $state/next $state/cursor
}

: >>$state/cursor
if [ "${1:-}" = once ]; then
	put
	exit
fi
while true; do
	put
	sleep 60
done
END
	cat >/etc/systemd/system/@NAME@-journal.service <<'END'
[Unit]
Description=Journal of @NAME@ into the log bucket
Wants=network-online.target
After=network-online.target
# It ends after the service, so that the last lines are put too.
Before=@NAME@.service

[Service]
ExecStart=/usr/bin/bash /etc/archipelago/@NAME@-journal.sh
ExecStopPost=/usr/bin/bash /etc/archipelago/@NAME@-journal.sh once
Restart=always
RestartSec=60
TimeoutStopSec=30
DynamicUser=true
SupplementaryGroups=systemd-journal
StateDirectory=@NAME@-journal
ProtectSystem=strict
ProtectHome=true
PrivateDevices=true
ProtectKernelTunables=true
ProtectControlGroups=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
CapabilityBoundingSet=
NoNewPrivileges=true
MemoryMax=256M

[Install]
WantedBy=multi-user.target
END
	systemctl daemon-reload && systemctl enable --now --no-block @NAME@-journal.service
} || echo "the journal of @NAME@ does not go to the log bucket" >&2
