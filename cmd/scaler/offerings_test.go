package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// TestThrottledOfferingsAreAskedForAgain, as all calls are that the SDK makes.
func TestThrottledOfferingsAreAskedForAgain(t *testing.T) {
	for name, c := range map[string]struct {
		refused, status int // so many answers are this one
		asked           int
		want            string
	}{
		"sound":     {0, 0, 1, ""},
		"throttled": {2, http.StatusServiceUnavailable, 3, ""},
		"for good":  {99, http.StatusServiceUnavailable, 5, "503 Service Unavailable: RequestLimitExceeded"},
		"forbidden": {99, http.StatusForbidden, 1, "403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked <= c.refused {
					http.Error(w, "RequestLimitExceeded", c.status)
					return
				}
				if r.FormValue("Action") != "DescribeInstanceTypeOfferings" {
					t.Errorf("it asks for %q", r.Form)
				}
				fmt.Fprint(w, `<r><instanceTypeOfferingSet><item><instanceType>m7g.large</instanceType><location>a</location></item></instanceTypeOfferingSet></r>`)
			}))
			defer server.Close()
			o := offerings{aws.Config{
				Region: region, BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
				Retryer: func() aws.Retryer {
					return retry.AddWithMaxBackoffDelay(retry.AddWithMaxAttempts(retry.NewStandard(), attempts), time.Millisecond)
				},
			}, server.Client()}
			offered, err := o.each(context.Background(), []string{"m7g.large"}, []string{"a"})
			if c.want == "" && (err != nil || !offered["m7g.large"]) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, %v", offered, err)
			}
			if asked != c.asked {
				t.Errorf("it asks %d times, want %d", asked, c.asked)
			}
		})
	}
}
