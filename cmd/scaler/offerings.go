package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// offerings asks EC2 which instance types its zones offer. It makes the one call
// itself: the SDK's package for EC2 takes longer to build than all the rest.
type offerings struct {
	config aws.Config
	// client sends what it asks.
	client aws.HTTPClient
}

// maxOfferings is more than the longest answer, in bytes.
const maxOfferings = 1 << 20

// each tells which of types every one of zones offers. Source: Amazon EC2 API
// Reference, "DescribeInstanceTypeOfferings".
func (o offerings) each(ctx context.Context, types, zones []string) (map[string]bool, error) {
	form := url.Values{
		"Action": {"DescribeInstanceTypeOfferings"}, "Version": {"2016-11-15"}, "LocationType": {"availability-zone"},
		"Filter.1.Name": {"instance-type"}, "Filter.2.Name": {"location"}, "MaxResults": {"1000"},
	}
	for i, t := range types {
		form.Set(fmt.Sprintf("Filter.1.Value.%d", i+1), t)
	}
	for i, zone := range zones {
		form.Set(fmt.Sprintf("Filter.2.Value.%d", i+1), zone)
	}
	body, err := o.call(ctx, form.Encode())
	if err != nil {
		return nil, fmt.Errorf("EC2, %s: %w", form.Get("Action"), err)
	}
	var answer struct {
		Offerings []struct {
			Type string `xml:"instanceType"`
			Zone string `xml:"location"`
		} `xml:"instanceTypeOfferingSet>item"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	in := map[string]int{}
	for _, offering := range answer.Offerings {
		in[offering.Type]++
	}
	offered := map[string]bool{}
	for t, n := range in {
		offered[t] = n == len(zones)
	}
	return offered, nil
}

// call makes a call of EC2's query API, and makes it again where the SDK would:
// EC2 throttles an account's calls together, from all its callers.
func (o offerings) call(ctx context.Context, form string) ([]byte, error) {
	retryer := o.config.Retryer()
	for attempt := 1; ; attempt++ {
		body, err := o.post(ctx, form)
		if err == nil || attempt >= retryer.MaxAttempts() || !retryer.IsErrorRetryable(err) {
			return body, err
		}
		wait, noMore := retryer.RetryDelay(attempt, err)
		if noMore != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// refusal is an answer with an error's status. The SDK's retryer knows by its status whether
// to ask again.
type refusal struct {
	status int
	body   []byte
}

func (r refusal) HTTPStatusCode() int { return r.status }
func (r refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), r.body)
}

// post sends a form, signed.
func (o offerings) post(ctx context.Context, form string) ([]byte, error) {
	endpoint := fmt.Sprintf("https://ec2.%s.amazonaws.com/", o.config.Region)
	if o.config.BaseEndpoint != nil {
		endpoint = *o.config.BaseEndpoint
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := o.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(form))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(hash[:]), "ec2", o.config.Region, time.Now()); err != nil {
		return nil, err
	}
	res, err := o.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxOfferings))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, refusal{res.StatusCode, body}
	}
	return body, nil
}

// offered tells which rungs every zone of the fleet offers.
func (c *controller) offered(ctx context.Context, zones []string) (map[string]bool, error) {
	var types []string
	for _, rung := range c.ladder {
		types = append(types, rung.Type)
	}
	return c.offerings.each(ctx, types, zones)
}
