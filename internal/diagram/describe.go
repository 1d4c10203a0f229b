package diagram

import (
	"fmt"
	"strings"
)

// describe says in words what the picture shows.
func describe(d Deployment) (title, description string) {
	var b strings.Builder
	head, below := entry(d)
	if len(d.From) > 0 {
		fmt.Fprintf(&b, "Users come from %s. ", and(d.From))
	}
	fmt.Fprintf(&b, "In front is %s: %s.", head, below)
	for _, i := range d.Islands {
		fmt.Fprintf(&b, " %s: ", i.Region)
		if i.LoadBalancer == "" {
			b.WriteString("a retired region with its data only")
		} else {
			switch {
			case i.Existing:
				fmt.Fprintf(&b, "in the existing VPC %s", i.VPC)
			case i.NAT:
				fmt.Fprintf(&b, "in a VPC of %s with a NAT gateway in each zone", i.VPC)
			default:
				fmt.Fprintf(&b, "in a VPC of %s without internet access", i.VPC)
			}
			fmt.Fprintf(&b, ", an %s load balancer", i.LoadBalancer)
			if i.Rules > 0 {
				fmt.Fprintf(&b, " behind a web ACL of %d rules", i.Rules)
			}
			fmt.Fprintf(&b, " and a fleet of %d to %d instances, %s, in %d zones", i.Min, i.Max, strings.Join(i.Types, ", "), len(i.Zones))
			var functions []string
			if i.Lighthouse {
				functions = append(functions, "a lighthouse that says whether the island can serve")
			}
			if i.Scaler {
				functions = append(functions, "a scaler that replaces instances")
			}
			if len(functions) > 0 {
				b.WriteString("; " + and(functions))
			}
			if i.Share < 100 {
				fmt.Fprintf(&b, "; it serves %d %% of its own users", i.Share)
			}
		}
		if len(i.Tables) > 0 {
			fmt.Fprintf(&b, "; replicas of tables: %s", and(i.Tables))
		}
		if len(i.Buckets) > 0 {
			fmt.Fprintf(&b, "; replicated buckets: %s", and(i.Buckets))
		}
		if len(i.Others) > 0 {
			fmt.Fprintf(&b, "; other buckets: %s", and(i.Others))
		}
		b.WriteString(".")
	}
	if d.Witness != "" {
		fmt.Fprintf(&b, " %s is the witness of the tables.", d.Witness)
	}
	islands := "one island"
	if n := len(d.Islands); n > 1 {
		islands = fmt.Sprintf("%d islands", n)
	}
	return d.Name + ": " + islands, strings.ReplaceAll(b.String(), "an public", "a public")
}

func and(all []string) string {
	n := len(all) - 1
	if n < 1 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:n], ", ") + " and " + all[n]
}
