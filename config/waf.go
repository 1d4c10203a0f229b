package config

import "errors"

// Values of a rule's mode.
const (
	// ModeBlock refuses the requests that a rule matches.
	ModeBlock = "block"
	// ModeCount lets them pass and counts them.
	ModeCount = "count"
)

// WAF is the web ACL in front of each load balancer.
type WAF struct {
	// Common is "block" or "count": the mode of AWS's rules against common
	// attacks. Default: "block".
	Common string `json:"common" jsonschema:"enum=block,enum=count"`
	// BadInputs is "block" or "count": the mode of AWS's rules against requests
	// known to exploit something. Default: "block".
	BadInputs string `json:"badInputs" jsonschema:"enum=block,enum=count"`
	// IPReputation is "block" or "count": the mode of AWS's list of addresses that
	// attack. Default: "block".
	IPReputation string `json:"ipReputation" jsonschema:"enum=block,enum=count"`
	// Rate is "block" or "count": the mode of the limit on requests. Default:
	// "block".
	Rate string `json:"rate" jsonschema:"enum=block,enum=count"`
	// RateLimit is how many requests an address may make in five minutes.
	// Default: 10000, for offices whose people share one address.
	RateLimit int `json:"rateLimit" jsonschema:"minimum=10,maximum=2000000000"`
}

func parseWAF(root *object) WAF {
	o := root.object("waf")
	w := WAF{
		Common:       o.string("common", ModeBlock),
		BadInputs:    o.string("badInputs", ModeBlock),
		IPReputation: o.string("ipReputation", ModeBlock),
		Rate:         o.string("rate", ModeBlock),
		RateLimit:    o.int("rateLimit", 10_000),
	}
	o.refuseUnknown()
	return w
}

func (w WAF) validate() error {
	p := problems{path: ContextKey + ".waf"}
	p.oneOf("common", w.Common, ModeBlock, ModeCount)
	p.oneOf("badInputs", w.BadInputs, ModeBlock, ModeCount)
	p.oneOf("ipReputation", w.IPReputation, ModeBlock, ModeCount)
	p.oneOf("rate", w.Rate, ModeBlock, ModeCount)
	if w.RateLimit < 10 || w.RateLimit > 2_000_000_000 {
		p.add("rateLimit", "10 to 2000000000 requests of an address in five minutes", w.RateLimit)
	}
	return errors.Join(p.errs...)
}
