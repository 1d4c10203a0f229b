package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
)

// configuration is the part of a cdk.json that scaling depends on. The rest is
// for the stacks, which check all of it; this reads no CDK.
type configuration struct {
	Regions []region
	Fleet   struct {
		Min, Max          int
		Ladder            []string
		StartAt           string
		CPUTarget         float64
		RequestsPerTarget int
	}
	// Logs: the agent that they need knows how much memory is used.
	Logs bool
}

// region is a region's name, alone or in an object.
type region string

func (r *region) UnmarshalJSON(b []byte) error {
	var object struct{ Name string }
	if json.Unmarshal(b, (*string)(r)) == nil {
		return nil
	}
	err := json.Unmarshal(b, &object)
	*r = region(object.Name)
	return err
}

// readConfig returns the fleet of a cdk.json's first region, with the region's
// prices. The error joins all problems of what it reads.
func readConfig(path string) (simulator.Fleet, simulator.Model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return simulator.Fleet{}, simulator.Model{}, err
	}
	var file struct {
		Context struct{ Archipelago configuration }
	}
	c := &file.Context.Archipelago
	c.Fleet.Min, c.Fleet.Max, c.Fleet.CPUTarget = scaling.DefaultMin, scaling.DefaultMax, scaling.DefaultCPUTarget
	if err := json.Unmarshal(b, &file); err != nil {
		return simulator.Fleet{}, simulator.Model{}, fmt.Errorf("%s: %w", path, err)
	}
	if c.Fleet.Ladder == nil {
		c.Fleet.Ladder = scaling.DefaultLadder()
	}
	fleet, model, err := c.fleet()
	if err != nil {
		return fleet, model, fmt.Errorf("%s:\n%w", path, err)
	}
	return fleet, model, nil
}

func (c configuration) fleet() (simulator.Fleet, simulator.Model, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("archipelago."+format, args...)) }
	ladder, err := scaling.NewLadder(c.Fleet.Ladder)
	if err != nil {
		wrong("fleet.ladder: %w", err)
	}
	if c.Fleet.StartAt == "" && len(c.Fleet.Ladder) > 0 {
		c.Fleet.StartAt = c.Fleet.Ladder[0]
	}
	fleet := simulator.Fleet{
		Ladder: ladder, Start: ladder.Find(c.Fleet.StartAt), Min: c.Fleet.Min, Max: c.Fleet.Max,
		RequestsPerTarget: c.Fleet.RequestsPerTarget, Agent: c.Logs,
		Policy: scaling.Policy{Mode: scaling.Auto, CPUTarget: c.Fleet.CPUTarget},
	}
	if err == nil && fleet.Start < 0 {
		wrong("fleet.startAt: want a rung of fleet.ladder, %q, got %q", c.Fleet.Ladder, c.Fleet.StartAt)
	}
	if c.Fleet.Min < 1 || c.Fleet.Max < c.Fleet.Min || c.Fleet.Max > 1000 {
		wrong("fleet.max: want 1 to 1000, and no less than fleet.min, got %d and %d", c.Fleet.Max, c.Fleet.Min)
	}
	if c.Fleet.CPUTarget < 10 || c.Fleet.CPUTarget > 90 {
		wrong("fleet.cpuTarget: want 10 to 90 percent, got %g", c.Fleet.CPUTarget)
	}
	if c.Fleet.RequestsPerTarget < 0 {
		wrong("fleet.requestsPerTarget: want requests a minute, or 0, got %d", c.Fleet.RequestsPerTarget)
	}
	if len(c.Regions) == 0 {
		wrong("regions: want a region, whose prices are taken, got none")
		return fleet, simulator.Model{}, errors.Join(errs...)
	}
	prices, err := cost.ReadPrices()
	errs = append(errs, err)
	for _, rung := range ladder {
		usd, err := prices.Instance(string(c.Regions[0]), rung.Type)
		errs = append(errs, err)
		fleet.USDPerHour = append(fleet.USDPerHour, usd)
	}
	var model simulator.Model
	if slices.ContainsFunc(ladder, scaling.Rung.Burstable) {
		model.SurplusUSD, err = prices.SurplusCredit(string(c.Regions[0]))
		errs = append(errs, err)
	}
	return fleet, model, errors.Join(errs...)
}
