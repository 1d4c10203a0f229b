package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// mix is what people ask of the service, in random order: of a hundred requests
// 50 for lists, 40 for people, 8 of the API, and 2 that add somebody, after which
// the instance makes its pages again.
func mix(url, session string, ids []string) vegeta.Targeter {
	random := rand.New(rand.NewPCG(1, 2))
	var lock sync.Mutex // vegeta asks from many goroutines
	cookie := http.Header{"Cookie": {session}}
	return func(t *vegeta.Target) error {
		lock.Lock()
		kind, who, where := random.IntN(100), ids[random.IntN(len(ids))], locations[random.IntN(len(locations))]
		prefix := string(rune('a' + random.IntN(26)))
		lock.Unlock()
		*t = vegeta.Target{Method: http.MethodGet}
		switch {
		case kind < 20:
			t.URL = url + "/"
		case kind < 35:
			t.URL = url + "/?location=" + where
		case kind < 50:
			t.URL = url + "/?name=" + prefix
		case kind < 90:
			t.URL = url + "/employees/" + who
		case kind < 98:
			t.URL = url + "/api/employees?limit=20&location=" + where
		default:
			t.Method, t.URL, t.Header = http.MethodPost, url+"/api/employees", cookie.Clone()
			t.Header.Set("Content-Type", "application/json")
			t.Header.Set("Idempotency-Key", directory.NewID())
			t.Body = fmt.Appendf(nil, `{"fullName": "New %s", "location": %q, "jobTitle": "Engineer", "badges": ["bug"]}`, strings.ToUpper(prefix), where)
		}
		return nil
	}
}

// attack sends requests at a steady rate for a while, whether or not the earlier
// ones were answered, as users do who do not know of each other.
func attack(s *service, targets vegeta.Targeter, rate float64, during time.Duration) (measurement, error) {
	attacker := vegeta.NewAttacker(vegeta.Timeout(5*time.Second), vegeta.MaxWorkers(2000), vegeta.Connections(500), vegeta.HTTP2(false), vegeta.Redirects(vegeta.NoFollow))
	before, err := s.cpu()
	if err != nil {
		return measurement{}, err
	}
	var m vegeta.Metrics
	began := time.Now()
	pace := vegeta.Rate{Freq: int(rate * 1000), Per: 1000 * time.Second}
	for result := range attacker.Attack(targets, pace, during, "") {
		m.Add(result)
	}
	m.Close()
	took := time.Since(began)
	after, err := s.cpu()
	if err != nil {
		return measurement{}, err
	}
	for status, count := range m.StatusCodes {
		if strings.HasPrefix(status, "4") {
			return measurement{}, fmt.Errorf("the service refused %d of %d requests, which has other causes than load: %v", count, m.Requests, m.Errors)
		}
	}
	return measurement{
		Offered: rate, Answered: m.Throughput, P99: m.Latencies.P99,
		CPU: 100 * (after - before).Seconds() / took.Seconds() / float64(s.cpus),
	}, nil
}
