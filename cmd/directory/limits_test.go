package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/web"
)

// TestTimeLimitsFitEachOther, from the entry to the service: the shipped template's, those
// that AWS has where it says nothing, the service's and what the pages say of them.
func TestTimeLimitsFitEachOther(t *testing.T) {
	const (
		// Source: Global Accelerator Developer Guide, "How AWS Global Accelerator works",
		// "Idle timeouts".
		entryIdle = 340 * time.Second
		// Source: Elastic Load Balancing, "Connection idle timeout".
		idleByDefault = time.Minute
	)
	balancer, targets, unit := deployed(t)
	server := newServer(nil, slog.Default())
	idle, ok := balancer["idle_timeout.timeout_seconds"]
	if !ok {
		idle = idleByDefault
	}
	for _, test := range []struct {
		shorter, longer time.Duration
		why             string
	}{
		{idle, server.IdleTimeout, "a connection that the service closes first takes a request with it, which is a 502"},
		{web.AnswerTimeout, idle, "an answer that is waited for longer is a 504"},
		{balancer["client_keep_alive.seconds"], entryIdle, "a connection that the entry drops first hangs"},
		{server.ReadHeaderTimeout, server.ReadTimeout, "a header is a part of a request"},
		{server.ReadTimeout, server.WriteTimeout, "an answer that says that reading took too long has to be written"},
		{targets["deregistration_delay.timeout_seconds"], drainWithin, "what the load balancer still waits for is cut off"},
		{lameDuck + drainWithin, unit, "systemd kills what the service still answers"},
	} {
		if test.shorter <= 0 || test.shorter >= test.longer {
			t.Errorf("%s is not shorter than %s: %s", test.shorter, test.longer, test.why)
		}
	}
	for page, text := range map[string]string{
		"service.md":      fmt.Sprintf("A client has %d seconds to send a request", int(web.ReadTimeout.Seconds())),
		"your-service.md": fmt.Sprintf("Keep a connection without a request for longer than %d seconds", int(idle.Seconds())),
	} {
		b, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), text) {
			t.Errorf("docs/%s does not say %q", page, text)
		}
	}
}

// deployed are the seconds that the load balancer and its targets' group have by the
// shipped template, by the names of their attributes, and those that the service's unit has
// to end.
func deployed(t *testing.T) (balancer, targets map[string]time.Duration, unit time.Duration) {
	t.Helper()
	b, err := os.ReadFile("../../stacks/testdata/shipped/archipelago-region-eu-west-1.template.json")
	if err != nil {
		t.Fatal(err)
	}
	type attribute struct{ Key, Value string }
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				LoadBalancerAttributes, TargetGroupAttributes []attribute
			}
		}
	}
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatal(err)
	}
	balancer, targets = map[string]time.Duration{}, map[string]time.Duration{}
	for _, r := range template.Resources {
		for into, attributes := range map[*map[string]time.Duration][]attribute{
			&balancer: r.Properties.LoadBalancerAttributes, &targets: r.Properties.TargetGroupAttributes,
		} {
			for _, a := range attributes {
				if n, err := strconv.Atoi(a.Value); err == nil && strings.HasSuffix(a.Key, "seconds") {
					(*into)[a.Key] = time.Duration(n) * time.Second
				}
			}
		}
	}
	stop := regexp.MustCompile(`ExecStart=/usr/local/bin/directory\\n(?:[A-Za-z]+=[^\\]*\\n)*?TimeoutStopSec=(\d+)`).FindSubmatch(b)
	if stop == nil {
		t.Fatal("the template has no unit of the service")
	}
	n, err := strconv.Atoi(string(stop[1]))
	if err != nil {
		t.Fatal(err)
	}
	return balancer, targets, time.Duration(n) * time.Second
}
