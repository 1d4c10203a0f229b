package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// offerings is an EC2 that offers types in zones, such as "m7g.large a", one on a
// page.
type offerings struct {
	offered []types.InstanceTypeOffering
	asked   []*ec2.DescribeInstanceTypeOfferingsInput
	err     error // of the page after the last
}

func (o *offerings) add(instanceType types.InstanceType, zones ...string) {
	for _, zone := range zones {
		o.offered = append(o.offered, types.InstanceTypeOffering{InstanceType: instanceType, Location: &zone})
	}
}

// DescribeInstanceTypeOfferings implements ec2.DescribeInstanceTypeOfferingsAPIClient.
func (o *offerings) DescribeInstanceTypeOfferings(_ context.Context, in *ec2.DescribeInstanceTypeOfferingsInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstanceTypeOfferingsOutput, error) {
	o.asked = append(o.asked, in)
	page := len(o.asked)
	if page > len(o.offered) {
		return &ec2.DescribeInstanceTypeOfferingsOutput{}, o.err
	}
	out := &ec2.DescribeInstanceTypeOfferingsOutput{InstanceTypeOfferings: o.offered[page-1 : page]}
	if page < len(o.offered) || o.err != nil {
		out.NextToken = aws.String("more")
	}
	return out, nil
}

func TestOfferedIsWhatEveryZoneOffers(t *testing.T) {
	o := &offerings{}
	o.add("m7g.large", "a", "b")
	o.add("m7g.xlarge", "b")
	c := &controller{ec2: o, settings: settings{ladder: []scaling.Rung{{Type: "m7g.large"}, {Type: "m7g.xlarge"}, {Type: "m7g.2xlarge"}}}}
	got, err := c.offered(t.Context(), []string{"a", "b"})
	if want := map[string]bool{"m7g.large": true, "m7g.xlarge": false}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if len(o.asked) != 3 {
		t.Fatalf("%d pages are asked for, want 3", len(o.asked))
	}
	for _, in := range o.asked {
		filters := map[string][]string{}
		for _, f := range in.Filters {
			filters[*f.Name] = f.Values
		}
		if in.LocationType != types.LocationTypeAvailabilityZone || !slices.Equal(filters["location"], []string{"a", "b"}) ||
			!slices.Equal(filters["instance-type"], []string{"m7g.large", "m7g.xlarge", "m7g.2xlarge"}) {
			t.Errorf("asked for %s of %v", in.LocationType, filters)
		}
	}
}

// TestNoRungInEveryZone is an error that names the zone: the alarm on its silence reports it.
func TestNoRungInEveryZone(t *testing.T) {
	for name, test := range map[string]struct {
		large, xlarge []string
		want          string
	}{
		"a zone without any": {[]string{"a", "b"}, []string{"a", "b"}, "none of m7g.large, m7g.xlarge is offered in every zone, and the fewest in c"},
		"one in each":        {[]string{"a", "b"}, []string{"c"}, "the fewest in a, b, c"},
		"nothing is offered": {nil, nil, "the fewest in a, b, c"},
		"one in all of them": {[]string{"a", "b", "c"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := &offerings{}
			o.add("m7g.large", test.large...)
			o.add("m7g.xlarge", test.xlarge...)
			c := &controller{ec2: o, settings: settings{ladder: []scaling.Rung{{Type: "m7g.large"}, {Type: "m7g.xlarge"}}}}
			_, err := c.offered(t.Context(), []string{"a", "b", "c"})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestOfferedFailsWithAnyPage(t *testing.T) {
	down := errors.New("down")
	o := &offerings{err: down}
	o.add("m7g.large", "a")
	c := &controller{ec2: o, settings: settings{ladder: []scaling.Rung{{Type: "m7g.large"}}}}
	if got, err := c.offered(t.Context(), []string{"a"}); !errors.Is(err, down) {
		t.Errorf("got %v, %v, want the error", got, err)
	}
}

// TestZonesWithoutARungAreTold to those who get the alarms: once, and again when it comes
// back. The scaler is silent meanwhile, so that its alarm is in ALARM.
func TestZonesWithoutARungAreTold(t *testing.T) {
	i := newIsland(t, "unoffered")
	defer emulatortest.Set(t, i.control, emulator.Settings{})
	i.use(t, 40)
	lacks := map[string][]string{region + "b": {"m7g.medium", "m7g.large", "m7g.xlarge"}}
	for n, test := range []struct {
		notOffered map[string][]string
		told       int // after it
	}{{nil, 0}, {lacks, 1}, {lacks, 1}, {nil, 1}, {lacks, 2}} {
		emulatortest.Set(t, i.control, emulator.Settings{NotOffered: test.notOffered})
		var out bytes.Buffer
		h := &handler{controller: i.controller(&killer{}), out: &out}
		_, err := h.handle(t.Context(), json.RawMessage(`{"time": "`+i.now(t).Format(time.RFC3339)+`"}`))
		if fails := test.notOffered != nil; fails != (err != nil) || fails == strings.Contains(out.String(), setting.RungMetric) {
			t.Errorf("run %d: %v, it printed %s", n, err, &out)
		}
		if len(i.sent) != test.told {
			t.Errorf("after run %d %d messages were sent: %q", n, len(i.sent), i.sent)
		}
	}
	for _, sent := range i.sent {
		if said, err := url.QueryUnescape(sent); err != nil || !strings.Contains(said, "and the fewest in "+region+"b.") {
			t.Errorf("the message does not name the zone: %s, %v", said, err)
		}
	}
}
