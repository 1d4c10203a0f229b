package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
)

// settings are what the function is told by its environment.
type settings struct {
	deployment        string
	region            string
	ladder            scaling.Ladder
	policy            scaling.Policy
	startAt           scaling.Rung
	requestsPerTarget int
	goal              float64       // percent of minutes, 0 for none
	goalTime          time.Duration // within which requests are to be answered

	template, group, stack           string
	deploymentAlarm                  string
	unguarded                        bool // a deployment is not stopped by the alarm
	loadBalancerARN                  string
	targetGroup, targetGroupARN      string
	instanceType, remembered, frozen string // SSM parameters
	topic                            string
	memoryMetric                     bool
}

// readSettings returns every problem at once.
func readSettings(getenv func(string) string) (settings, error) {
	var errs []error
	required := func(name string) string {
		if getenv(name) == "" {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
		return getenv(name)
	}
	s := settings{
		deployment:      required(setting.Deployment),
		region:          required(setting.Region),
		template:        required(setting.Template),
		group:           required(setting.Group),
		stack:           required(setting.Stack),
		deploymentAlarm: required(setting.DeploymentAlarm),
		loadBalancerARN: required(setting.LoadBalancerARN),
		targetGroup:     required(setting.TargetGroup),
		targetGroupARN:  required(setting.TargetGroupARN),
		unguarded:       getenv(setting.Unguarded) == "true",
		instanceType:    required(setting.InstanceTypeParameter),
		remembered:      required(setting.ScalingParameter),
		frozen:          required(setting.FrozenParameter),
		topic:           getenv(setting.Topic),
		memoryMetric:    getenv(setting.KnowsMemory) == "true",
	}
	s.policy.Mode = scaling.Mode(required(setting.ScalerMode))
	startAt, rungs := required(setting.StartAt), required(setting.Ladder)
	if target := required(setting.CPUTarget); target != "" {
		var err error
		if s.policy.CPUTarget, err = strconv.ParseFloat(target, 64); err != nil {
			errs = append(errs, fmt.Errorf("%s: want a number of percent, got %q", setting.CPUTarget, target))
		}
	}
	if goal := getenv(setting.Goal); goal != "" {
		var err error
		if s.goal, err = strconv.ParseFloat(goal, 64); err != nil {
			errs = append(errs, fmt.Errorf("%s: want a number of percent, got %q", setting.Goal, goal))
		}
		within, err := strconv.Atoi(getenv(setting.GoalMilliseconds))
		if err != nil || within <= 0 {
			errs = append(errs, fmt.Errorf("%s: want a whole number above 0, got %q", setting.GoalMilliseconds, getenv(setting.GoalMilliseconds)))
		}
		s.goalTime = time.Duration(within) * time.Millisecond
	}
	if requests := getenv(setting.RequestsPerTarget); requests != "" {
		var err error
		if s.requestsPerTarget, err = strconv.Atoi(requests); err != nil {
			errs = append(errs, fmt.Errorf("%s: want a whole number, got %q", setting.RequestsPerTarget, requests))
		}
	}
	var err error
	if s.policy.Window, err = scaling.ParseWindow(getenv(setting.Window)); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", setting.Window, err))
	}
	if rungs != "" {
		if s.ladder, err = scaling.NewLadder(strings.Split(rungs, ",")); err != nil {
			errs = append(errs, fmt.Errorf("%s%w", setting.Ladder, err))
		}
	}
	if mode := s.policy.Mode; len(s.ladder) > 0 && mode != "" && mode != scaling.Off { // else it decides nothing
		errs = append(errs, s.policy.Validate(s.ladder))
	}
	if i := s.ladder.Find(startAt); i >= 0 {
		s.startAt = s.ladder[i]
	} else if len(s.ladder) > 0 && startAt != "" {
		errs = append(errs, fmt.Errorf("%s: want a rung of %s, got %q", setting.StartAt, rungs, startAt))
	}
	if err := errors.Join(errs...); err != nil {
		return settings{}, err
	}
	return s, nil
}
