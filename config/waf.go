package config

// Values of a rule's mode.
const (
	// ModeBlock refuses the requests that a rule matches.
	ModeBlock = "block"
	// ModeCount lets them pass and counts them.
	ModeCount = "count"
)

// WAF is the web ACL in front of each load balancer.
type WAF struct {
	// Enabled is whether load balancers have a web ACL. Default: true.
	Enabled bool `json:"enabled" default:"true" trial:"false"`
	// Common is "block" or "count": the mode of AWS's rules against common
	// attacks. Default: "block".
	Common string `json:"common" default:"block" jsonschema:"enum=block,enum=count"`
	// BadInputs is "block" or "count": the mode of AWS's rules against requests
	// known to exploit something. Default: "block".
	BadInputs string `json:"badInputs" default:"block" jsonschema:"enum=block,enum=count"`
	// IPReputation is "block" or "count": the mode of AWS's list of addresses that
	// attack. Default: "block".
	IPReputation string `json:"ipReputation" default:"block" jsonschema:"enum=block,enum=count"`
	// Rate is "block" or "count": the mode of the limit on requests. Default:
	// "block".
	Rate string `json:"rate" default:"block" jsonschema:"enum=block,enum=count"`
	// RateLimit is how many requests an address may make in five minutes.
	// Default: 10000, for offices whose people share one address.
	RateLimit int `json:"rateLimit" default:"10000" jsonschema:"minimum=10,maximum=2000000000" want:"10 to 2000000000 requests of an address in five minutes"`
	// FailOpen is whether a load balancer that gets no answer from AWS WAF lets
	// requests pass; else it answers them with 500. Default: true.
	FailOpen bool `json:"failOpen" default:"true"`
}
