package emulator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// request is what CloudFormation sends to a custom resource's function.
type request struct {
	RequestType, ServiceToken, ResponseURL, StackId, RequestId, LogicalResourceId, ResourceType, PhysicalResourceId string
	ResourceProperties, OldResourceProperties                                                                       map[string]any
}

// response is what the function puts to the URL.
type response struct {
	Status, Reason, PhysicalResourceId, StackId, RequestId, LogicalResourceId string
	Data                                                                      map[string]string
}

// custom is a stack with a function, a custom resource that it makes, and a parameter
// with what it answered.
type custom struct {
	*stack
	parts resources
}

func newCustom(t *testing.T) *custom {
	t.Helper()
	c := &custom{stack: newStack(t)}
	c.parts = function(t, c.control, c.name).with(resources{
		"Hold":   map[string]any{"Type": "Custom::Hold", "Properties": map[string]any{"ServiceToken": getAtt("Function", "Arn"), "ServiceTimeout": 600, "Size": 2, "Wait": true}},
		"Answer": parameter("/"+c.name, getAtt("Hold", "Answer")),
	})
	return c
}

// of is a template in which the custom resource has a size.
func (c *custom) of(size int) resources {
	return c.parts.with(resources{"Hold": map[string]any{"Type": "Custom::Hold", "Properties": map[string]any{
		"ServiceToken": getAtt("Function", "Arn"), "ServiceTimeout": 600, "Size": size, "Wait": true,
	}}})
}

// take waits until the function is to be invoked.
func (c *custom) take(t *testing.T) (emulator.Invocation, request) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		taken, err := c.control.TakeInvocations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(taken) == 1 {
			var r request
			if err := json.Unmarshal([]byte(taken[0].Payload), &r); err != nil {
				t.Fatal(err)
			}
			return taken[0], r
		}
	}
	t.Fatalf("nobody was invoked, and the stack is %s: %s", c.status(t), c.reasons(t))
	return emulator.Invocation{}, request{}
}

// answer puts a response to a request's URL, changed by change.
func (c *custom) answer(t *testing.T, r request, data string, change ...func(*response)) {
	t.Helper()
	out := response{Status: "SUCCESS", PhysicalResourceId: "held", StackId: r.StackId, RequestId: r.RequestId, LogicalResourceId: r.LogicalResourceId, Data: map[string]string{"Answer": data}}
	for _, f := range change {
		f(&out)
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.ResponseURL, strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(put)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v", res, err)
	}
	res.Body.Close()
}

// got is what the stack made of the answer.
func (c *custom) got(t *testing.T) string {
	t.Helper()
	out, err := ssm.NewFromConfig(emulatortest.Config(c.control, "eu-west-1")).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/" + c.name)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Parameter.Value
}

// create makes the stack.
func (c *custom) create(t *testing.T) {
	t.Helper()
	go c.begin(t, c.parts) //nolint:errcheck // what it answers late is seen in the stack
	_, r := c.take(t)
	c.answer(t, r, "first")
	c.await(t, types.StackStatusCreateComplete)
}

// TestCustomResourceIsMadeByItsFunction, which is asked as CloudFormation asks, while
// other calls are answered.
func TestCustomResourceIsMadeByItsFunction(t *testing.T) {
	c := newCustom(t)
	go c.begin(t, c.parts) //nolint:errcheck // as above
	taken, r := c.take(t)
	if !strings.HasSuffix(taken.Function, ":function:"+c.name) || r.ServiceToken != taken.Function || r.RequestType != "Create" ||
		r.LogicalResourceId != "Hold" || r.ResourceType != "Custom::Hold" || !strings.Contains(r.StackId, c.name) || r.PhysicalResourceId != "" {
		t.Errorf("got %s, %+v", taken.Function, r)
	}
	if r.ResourceProperties["Size"] != "2" || r.ResourceProperties["Wait"] != "true" {
		t.Errorf("properties are sent as text, got %v", r.ResourceProperties)
	}
	if got := c.status(t); got != types.StackStatusCreateInProgress {
		t.Errorf("the stack is %s before there is an answer", got)
	}
	c.answer(t, r, "first")
	c.await(t, types.StackStatusCreateComplete)
	if got := c.got(t); got != "first" {
		t.Errorf("Fn::GetAtt is %q", got)
	}

	go c.begin(t, c.of(3)) //nolint:errcheck // as above
	_, r = c.take(t)
	if r.RequestType != "Update" || r.PhysicalResourceId != "held" || r.ResourceProperties["Size"] != "3" || r.OldResourceProperties["Size"] != "2" {
		t.Errorf("got %+v", r)
	}
	// Another id is another resource: the former one is deleted at the end.
	c.answer(t, r, "second", func(out *response) { out.PhysicalResourceId = "another" })
	_, r = c.take(t)
	if r.RequestType != "Delete" || r.PhysicalResourceId != "held" || c.got(t) != "second" {
		t.Errorf("got %+v", r)
	}
	c.answer(t, r, "")
	c.await(t, types.StackStatusUpdateComplete)
}

func TestCustomResourceThatFailsIsRolledBack(t *testing.T) {
	c := newCustom(t)
	go c.begin(t, c.parts) //nolint:errcheck // as above
	_, r := c.take(t)
	c.answer(t, r, "", func(out *response) { out.Status, out.Reason = "FAILED", "there is no capacity" })
	_, r = c.take(t)
	if r.RequestType != "Delete" || r.PhysicalResourceId != "held" {
		t.Errorf("what failed is not deleted: %+v", r)
	}
	c.answer(t, r, "")
	c.await(t, types.StackStatusRollbackComplete)
	if got := c.reasons(t); !strings.Contains(got, "there is no capacity") {
		t.Errorf("the reason is missing: %s", got)
	}
}

func TestCustomResourceThatDoesNotAnswerFailsAfterItsTimeout(t *testing.T) {
	c := newCustom(t)
	go c.begin(t, c.parts) //nolint:errcheck // as above
	c.take(t)
	emulatortest.Advance(t, c.control, 590*time.Second)
	if got := c.status(t); got != types.StackStatusCreateInProgress {
		t.Errorf("the stack is %s before 600 s have passed", got)
	}
	wantError(t, c.begin(t, c.parts), "ValidationError", "is in CREATE_IN_PROGRESS state and can not be updated")
	emulatortest.Advance(t, c.control, 20*time.Second)
	_, r := c.take(t)
	if r.RequestType != "Delete" || r.PhysicalResourceId == "" {
		t.Errorf("got %+v", r)
	}
	c.answer(t, r, "")
	c.await(t, types.StackStatusRollbackComplete)
}

// TestUpdateThatIsCancelled (rule R36) is rolled back although its function has not
// answered, and what that answers later is ignored.
func TestUpdateThatIsCancelled(t *testing.T) {
	c := newCustom(t)
	c.create(t)
	client := cloudformation.NewFromConfig(emulatortest.Config(c.control, "eu-west-1"))
	cancel := func() error {
		_, err := client.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: &c.name})
		return err
	}
	wantError(t, cancel(), "ValidationError", "cannot be called from current stack status")
	go c.begin(t, c.of(3)) //nolint:errcheck // what it answers late is seen in the stack
	_, given := c.take(t)
	if err := cancel(); err != nil {
		t.Fatal(err)
	}
	_, r := c.take(t)
	if r.RequestType != "Update" || r.ResourceProperties["Size"] != "2" || r.OldResourceProperties["Size"] != "3" {
		t.Errorf("the rollback asks %+v", r)
	}
	c.answer(t, given, "late")
	c.answer(t, r, "third")
	c.await(t, types.StackStatusUpdateRollbackComplete)
	if got, why := c.got(t), c.reasons(t); got != "third" || !strings.Contains(why, "Resource update cancelled") {
		t.Errorf("Fn::GetAtt is %q, and the reasons are %s", got, why)
	}
}

// TestAttributesInARollback are what the function answers to the rollback, or what it
// had answered before: AWS's documents leave it open.
func TestAttributesInARollback(t *testing.T) {
	for former, want := range map[bool]string{false: "third", true: "first"} {
		t.Run(want, func(t *testing.T) {
			c := newCustom(t)
			emulatortest.Set(t, c.control, emulator.Settings{RollbackReadsFormer: former})
			c.create(t)
			go c.begin(t, c.of(3).with(resources{"Bad": map[string]any{ //nolint:errcheck // as above
				"Type": "AWS::SSM::Parameter", "DependsOn": "Answer", "Properties": map[string]any{"Name": "/" + c.name, "Type": "String", "Value": "taken"},
			}}))
			_, r := c.take(t)
			c.answer(t, r, "second")
			_, r = c.take(t)
			if r.RequestType != "Update" || r.ResourceProperties["Size"] != "2" || r.OldResourceProperties["Size"] != "3" {
				t.Errorf("the rollback asks %+v", r)
			}
			c.answer(t, r, "third")
			c.await(t, types.StackStatusUpdateRollbackComplete)
			if got := c.got(t); got != want {
				t.Errorf("Fn::GetAtt is %q, want %q", got, want)
			}
		})
	}
}
