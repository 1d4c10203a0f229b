package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/archipelago-cdk/archipelago/config"
)

// Control asks the plugin what AWS has no call for.
type Control struct {
	// URL is the emulator's.
	URL string
}

// Accepted is a resource whose type the emulator accepts and does not emulate.
type Accepted struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Region     string         `json:"region"`
	Properties map[string]any `json:"properties"`
}

// Accepted lists them.
func (c Control) Accepted(ctx context.Context) ([]Accepted, error) {
	var list []Accepted
	return list, c.call(ctx, http.MethodGet, "accepted", nil, &list)
}

// Resources lists everything that the account holds, in every region: a line for
// each resource, the same each time.
func (c Control) Resources(ctx context.Context) ([]string, error) {
	var list []string
	return list, c.call(ctx, http.MethodGet, "resources", nil, &list)
}

// Fleet is what is deployed of machines, functions, load balancers and entries.
type Fleet struct {
	// Deployment is the number of the last one, and Regions are its regions, the
	// nearest first.
	Deployment int      `json:"deployment"`
	Regions    []string `json:"regions"`
	// Clock is the emulator's.
	Clock          Clock           `json:"clock"`
	Stacks         []Stack         `json:"stacks"`
	Groups         []Group         `json:"groups"`
	Schedules      []Schedule      `json:"schedules"`
	Instances      []Instance      `json:"instances"`
	Functions      []Function      `json:"functions"`
	LoadBalancers  []LoadBalancer  `json:"loadBalancers"`
	EndpointGroups []EndpointGroup `json:"endpointGroups"`
}

// Stack is a stack of CloudFormation.
type Stack struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	Status string `json:"status"` // such as UPDATE_IN_PROGRESS
}

// Group is an Auto Scaling group.
type Group struct {
	Name    string `json:"name"`
	Region  string `json:"region"`
	Desired int    `json:"desired"`
	// Refreshing is whether an instance refresh is under way.
	Refreshing bool `json:"refreshing"`
}

// Instance is one machine of an Auto Scaling group.
type Instance struct {
	ID       string `json:"id"`
	Account  string `json:"account"`
	Region   string `json:"region"`
	Zone     string `json:"zone"`
	Type     string `json:"type"`
	Group    string `json:"group"`
	Role     string `json:"role"` // ARN of the instance profile's role
	UserData string `json:"userData"`
}

// Function is a Lambda function whose code is a program.
type Function struct {
	ARN         string            `json:"arn"`
	Name        string            `json:"name"`
	Region      string            `json:"region"`
	Role        string            `json:"role"` // its ARN
	Handler     string            `json:"handler"`
	Environment map[string]string `json:"environment"`
	Memory      int               `json:"memory"`  // MiB
	Timeout     int               `json:"timeout"` // seconds
	// Concurrency is how many events it handles at once; 0 is as many as there are.
	Concurrency int `json:"concurrency"`
	// MaxEventAge is how many seconds Lambda keeps an asynchronous event, and RetryAttempts
	// how often it hands one over again that the function failed on.
	MaxEventAge   int `json:"maxEventAge"`
	RetryAttempts int `json:"retryAttempts"`
	// Bucket and Key are where its code is, a zip.
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// Schedule invokes a function again and again.
type Schedule struct {
	ARN    string `json:"arn"`
	Region string `json:"region"`
	// Every is how many seconds of the emulator's clock are between two times.
	Every int `json:"every"`
	// Target is the function's ARN, and Input what it is given, JSON in which
	// "<aws.scheduler.scheduled-time>" stands for the time.
	Target string `json:"target"`
	Input  string `json:"input"`
}

// LoadBalancer is an Application Load Balancer.
type LoadBalancer struct {
	ARN    string `json:"arn"`
	Region string `json:"region"`
	// Groups are the target groups of its listeners.
	Groups []TargetGroup `json:"groups"`
	// Rules are by their priority; the last one takes every request.
	Rules []Rule `json:"rules"`
	// Limits are those of its web ACL.
	Limits Limits `json:"limits"`
	// Broken reports whether it answers every request with 500, since its web ACL cannot
	// be asked.
	Broken bool `json:"broken"`
}

// Limits are how many bytes of a request's parts AWS's common rules let pass; 0 means no
// limit.
type Limits struct {
	Path    int `json:"path"`
	Query   int `json:"query"`
	Cookies int `json:"cookies"`
	Body    int `json:"body"`
}

// Rule says which requests go to a target group.
type Rule struct {
	// Paths are patterns, in which * is any characters and ? is one; none is
	// every path. A rule's other conditions are not known here: on this machine
	// every client is at loopback.
	Paths []string `json:"paths"`
	Group string   `json:"group"` // ARN
}

// TargetGroup is a target group with its health checks.
type TargetGroup struct {
	ARN string `json:"arn"`
	// Type is "instance", or "lambda" where the one target is a function.
	Type    string   `json:"type"`
	Targets []string `json:"targets"` // instance ids, or the function's ARN
	// Path is asked every Interval seconds, and answers Status within Timeout
	// seconds where a target is healthy.
	Path     string `json:"path"`
	Status   string `json:"status"`
	Interval int    `json:"interval"`
	Timeout  int    `json:"timeout"`
	// HealthyAfter and UnhealthyAfter are how many answers of one kind in a row
	// change a target's health.
	HealthyAfter   int `json:"healthyAfter"`
	UnhealthyAfter int `json:"unhealthyAfter"`
	// DeregistrationDelay is how many seconds requests in flight may take when
	// a target goes.
	DeregistrationDelay int `json:"deregistrationDelay"`
}

// EndpointGroup is a region that an accelerator, or a domain's records, know.
type EndpointGroup struct {
	Region        string   `json:"region"`
	LoadBalancers []string `json:"loadBalancers"` // ARNs
	// Dial is how many percent of the region's own users are sent to it.
	Dial float64 `json:"dial"`
	// Lost reports whether the region does not answer.
	Lost bool `json:"lost"`
	// Record reports whether it is a record of a hosted zone.
	Record bool `json:"record"`
}

// Fleet returns what is deployed now.
func (c Control) Fleet(ctx context.Context) (Fleet, error) {
	var f Fleet
	return f, c.call(ctx, http.MethodGet, "fleet", nil, &f)
}

// Usage is what ran since the last report.
type Usage struct {
	// CPU is the use of each instance, in percent of its type's, by its id.
	CPU map[string]float64 `json:"cpu"`
	// Requests are how many each target group got, by its ARN.
	Requests map[string]int `json:"requests"`
	// Failed are how many answers of its targets were 5xx, and Refused how many the
	// load balancer gave itself with each status of these.
	Failed  map[string]int         `json:"failed,omitempty"`
	Refused map[string]map[int]int `json:"refused,omitempty"`
	// Times are how many answers of its targets took so many milliseconds.
	Times map[string]map[int]int `json:"times,omitempty"`
}

// Use reports what ran: metrics of the minutes, on the emulator's clock, that
// ended since the last report, and the number of instances that follows.
func (c Control) Use(ctx context.Context, u Usage) error {
	return c.call(ctx, http.MethodPut, "usage", u, nil)
}

// Print reports a line that a function printed, with metrics in CloudWatch's embedded
// metric format.
func (c Control) Print(ctx context.Context, account, region, line string) error {
	return c.call(ctx, http.MethodPut, "printed", map[string]string{"account": account, "region": region, "line": line}, nil)
}

// StartPracticeRun begins a practice run of zonal autoshift, which keeps a resource's
// traffic away from a zone for half an hour.
func (c Control) StartPracticeRun(ctx context.Context, resource, zone string) error {
	return c.call(ctx, http.MethodPut, "practiceRun", map[string]string{"resource": resource, "awayFrom": zone}, nil)
}

// Alarm is one of CloudWatch.
type Alarm struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	State  string `json:"state"`
	// Never is why nothing evaluates it, or "".
	Never string `json:"never"`
}

// Alarms returns every one.
func (c Control) Alarms(ctx context.Context) ([]Alarm, error) {
	var list []Alarm
	return list, c.call(ctx, http.MethodGet, "alarms", nil, &list)
}

// Status is what the local cloud reports of the machines and load balancers that
// it runs.
type Status struct {
	// Deployment is the number of the one that it follows.
	Deployment int `json:"deployment"`
	// Health is what load balancers say of targets, "initial", "healthy" or
	// "unhealthy", by the instance's id or the function's ARN.
	Health map[string]string `json:"health"`
	// URL is the way in: the entry, or the first region where there is none.
	URL string `json:"url"`
	// Regions are the load balancers' addresses by their region.
	Regions map[string]string `json:"regions"`
	// Starting are the instances whose service has not said that it is ready, as
	// systemd asks it to with service.notify. Load balancers do not know of it.
	Starting []string `json:"starting"`
	// Booted are the instances whose service was started.
	Booted []string `json:"booted"`
	// Refused are what could not run on AWS, functions by their ARN and instances by
	// their id, and why.
	Refused map[string]string `json:"refused"`
}

// Status returns what was reported last.
func (c Control) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.call(ctx, http.MethodGet, "status", nil, &s)
}

// Report replaces what was reported last.
func (c Control) Report(ctx context.Context, s Status) error {
	return c.call(ctx, http.MethodPut, "status", s, nil)
}

// Deployed says that a deployment to regions, the nearest first, has ended, and
// returns its number.
func (c Control) Deployed(ctx context.Context, regions []string) (int, error) {
	var deployment int
	return deployment, c.call(ctx, http.MethodPut, "deployed", regions, &deployment)
}

// Break makes the first boot of every instance of these types fail from now on.
func (c Control) Break(ctx context.Context, types ...string) error {
	if types == nil {
		types = []string{}
	}
	return c.call(ctx, http.MethodPut, "broken", types, nil)
}

// Existing is what a configuration takes as it is, and what therefore exists before
// it is deployed.
type Existing struct {
	Networks []Network `json:"networks"`
	// Certificates are the names that they are for, by their ARNs.
	Certificates map[string]string `json:"certificates"`
	// Keys are the ARNs of the account's own KMS keys, which Auto Scaling may use.
	Keys []string `json:"keys"`
	// Zones are hosted zones.
	Zones []Zone `json:"zones"`
}

// Zone is a hosted zone.
type Zone struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Private bool   `json:"private"`
}

// Network is a VPC with an internet gateway, to which its main route table leads.
type Network struct {
	Region string `json:"region"`
	ID     string `json:"id"`
	CIDR   string `json:"cidr"`
	// Subnets are the names of their zones, by their ids.
	Subnets map[string]string `json:"subnets"`
}

// ExistingOf returns what a configuration takes as it is.
func ExistingOf(c config.Config) Existing {
	e := Existing{Certificates: map[string]string{}}
	if d := c.Domain; d.Set() {
		e.Zones = append(e.Zones, Zone{ID: d.ZoneID, Name: d.Zone, Private: d.Private})
	}
	for _, arn := range c.Domain.CertificateARNs {
		e.Certificates[arn] = c.Domain.Host
	}
	for _, r := range c.Islands() {
		e.Keys = append(e.Keys, r.KMS.Decrypt...)
		if r.KMS.Volume != "" {
			e.Keys = append(e.Keys, r.KMS.Volume)
		}
		if !r.VPC.Set() {
			continue
		}
		n := Network{Region: r.Name, ID: r.VPC.ID, CIDR: r.CIDR, Subnets: map[string]string{}}
		for _, subnets := range []config.Subnets{r.VPC.FleetSubnets, r.VPC.LoadBalancerSubnets} {
			for zone, id := range r.ByZone(subnets) {
				n.Subnets[id] = zone
			}
		}
		e.Networks = append(e.Networks, n)
	}
	return e
}

// Make makes what of e is not there yet.
func (c Control) Make(ctx context.Context, e Existing) error {
	return c.call(ctx, http.MethodPut, "existing", e, nil)
}

// Failing are the AWS services that answer 503, such as "dynamodb", by the region
// whose calls they refuse. Load balancers cannot ask "wafv2" then.
type Failing map[string][]string

// Fail makes these services fail, and no other.
func (c Control) Fail(ctx context.Context, f Failing) error {
	return c.call(ctx, http.MethodPut, "failing", f, nil)
}

// Invocation is of a function whose answer nobody waits for.
type Invocation struct {
	ID       string `json:"id"`
	Function string `json:"function"` // its ARN
	Payload  string `json:"payload"`  // JSON
}

// TakeInvocations returns the invocations that are due, each of them once: who takes
// one invokes the function.
func (c Control) TakeInvocations(ctx context.Context) ([]Invocation, error) {
	var list []Invocation
	return list, c.call(ctx, http.MethodPut, "invocations", struct{}{}, &list)
}

// InvokeCustomResources makes the calls of every custom resource again: those of
// "Create", "Update" or "Delete". It returns those that failed, with the reason.
func (c Control) InvokeCustomResources(ctx context.Context, request string) ([]string, error) {
	var failures []string
	return failures, c.call(ctx, http.MethodPut, "custom-resources", request, &failures)
}

func (c Control) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+"/archipelago/"+path, &body)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusConflict {
		var refusal struct{ Message string }
		if err := json.NewDecoder(res.Body).Decode(&refusal); err != nil {
			return fmt.Errorf("emulator: %s %s: %s: %w", method, path, res.Status, err)
		}
		return fmt.Errorf("emulator: %s", refusal.Message)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("emulator: %s %s: %s", method, path, res.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}
