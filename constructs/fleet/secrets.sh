# The secrets, in a folder of root: the unit gives the service copies. One that is
# missing or may not be read is asked for until it can be.
mkdir -p /etc/archipelago/secrets
chmod 0700 /etc/archipelago/secrets
secret() {
  local value
  until value="$(aws "${@:2}" --region @REGION@ --output text)"; do sleep 2; done
  printf '%s' "$value" >"/etc/archipelago/secrets/$1"
}
@FETCHES@
