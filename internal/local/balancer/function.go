package balancer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-lambda-go/events"
)

// Function is a Lambda function behind a balancer.
type Function interface {
	// Invoke hands it one event and returns its answer, both as JSON.
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

const (
	// healthChecker is how a load balancer calls itself when it asks.
	healthChecker = "ELB-HealthChecker/2.0"
	// maxBody is the largest body that a function is handed, in bytes.
	maxBody = 1 << 20
)

// checkFunction asks a function for its health. Source of the events: Elastic
// Load Balancing, "Use Lambda functions as targets of an Application Load
// Balancer".
func checkFunction(ctx context.Context, f Function, config emulator.TargetGroup) (int, error) {
	answer, err := invoke(ctx, f, events.ALBTargetGroupRequest{
		HTTPMethod:            http.MethodGet,
		Path:                  config.Path,
		QueryStringParameters: map[string]string{},
		Headers:               map[string]string{"user-agent": healthChecker},
		RequestContext:        requestContext(config.ARN),
	})
	return answer.StatusCode, err
}

// serveFunction answers a request with what a function says.
func serveFunction(w http.ResponseWriter, r *http.Request, f Function, group string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "413 Request Entity Too Large", http.StatusRequestEntityTooLarge)
		return
	}
	event := events.ALBTargetGroupRequest{
		HTTPMethod:            r.Method,
		Path:                  r.URL.Path,
		QueryStringParameters: map[string]string{},
		Headers:               map[string]string{"host": r.Host},
		RequestContext:        requestContext(group),
		IsBase64Encoded:       len(body) > 0,
		Body:                  base64.StdEncoding.EncodeToString(body),
	}
	for name, values := range r.URL.Query() {
		event.QueryStringParameters[name] = values[len(values)-1]
	}
	for name, values := range r.Header {
		event.Headers[strings.ToLower(name)] = values[len(values)-1]
	}
	answer, err := invoke(r.Context(), f, event)
	if err != nil {
		badGateway(w, r, err)
		return
	}
	content := []byte(answer.Body)
	if answer.IsBase64Encoded {
		if content, err = base64.StdEncoding.DecodeString(answer.Body); err != nil {
			badGateway(w, r, err)
			return
		}
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(content)
}

func invoke(ctx context.Context, f Function, event events.ALBTargetGroupRequest) (events.ALBTargetGroupResponse, error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return events.ALBTargetGroupResponse{}, err
	}
	out, err := f.Invoke(ctx, payload)
	if err != nil {
		return events.ALBTargetGroupResponse{}, err
	}
	var answer events.ALBTargetGroupResponse
	if err := json.Unmarshal(out, &answer); err != nil {
		return events.ALBTargetGroupResponse{}, err
	}
	if answer.StatusCode < 100 || answer.StatusCode > 599 {
		return events.ALBTargetGroupResponse{}, fmt.Errorf("the function answered with the status %d", answer.StatusCode)
	}
	return answer, nil
}

func requestContext(group string) events.ALBTargetGroupRequestContext {
	return events.ALBTargetGroupRequestContext{ELB: events.ELBContext{TargetGroupArn: group}}
}
