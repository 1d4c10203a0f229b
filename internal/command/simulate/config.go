package simulate

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
)

// maxInstances is the most that are simulated in a reasonable time.
const maxInstances = 1000

// readConfig returns the fleet of a cdk.json's first region, with the region's
// prices. The error joins all problems of the configuration, or those of the fleet.
func readConfig(path string) (simulator.Fleet, simulator.Model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return simulator.Fleet{}, simulator.Model{}, err
	}
	context, err := config.Context(b)
	if err != nil {
		return simulator.Fleet{}, simulator.Model{}, fmt.Errorf("%s: %w", path, err)
	}
	c, err := config.Parse(context, config.NoAccount)
	if err != nil {
		return simulator.Fleet{}, simulator.Model{}, fmt.Errorf("%s:\n%w", path, err)
	}
	fleet, model, err := fleetOf(c)
	if err != nil {
		return fleet, model, fmt.Errorf("%s:\n%w", path, err)
	}
	return fleet, model, nil
}

func fleetOf(c config.Config) (simulator.Fleet, simulator.Model, error) {
	ladder, err := scaling.NewLadder(c.Fleet.Ladder)
	if err != nil {
		return simulator.Fleet{}, simulator.Model{}, err
	}
	fleet := simulator.Fleet{
		Ladder: ladder, Start: ladder.Find(c.Fleet.StartAt), Min: c.Fleet.Min, Max: c.Fleet.Max,
		RequestsPerTarget: c.Fleet.RequestsPerTarget, Agent: c.Logs == config.LogsCloudWatch, // which knows how much memory is used
		Policy: scaling.Policy{Mode: scaling.Auto, CPUTarget: float64(c.Fleet.CPUTarget)},
	}
	fleet.Goal, fleet.Surge = c.Fleet.Goal, c.Fleet.Goal > 0
	var errs []error
	if fleet.Max > maxInstances {
		errs = append(errs, fmt.Errorf("archipelago.fleet.max: want at most %d to simulate, got %d", maxInstances, fleet.Max))
	}
	region := c.Regions[0].Name
	prices, err := cost.ReadPricesIn(".")
	errs = append(errs, err)
	var hours, credits []string
	for _, rung := range ladder {
		hours = append(hours, cost.Instance(rung.Type))
		if rung.Burstable() {
			credits = append(credits, cost.SurplusCredit(rung.Family()))
		}
	}
	usd, err := prices.Of(region, append(hours, credits...)...)
	errs = append(errs, err)
	fleet.USDPerHour = usd[:len(ladder)]
	model := simulator.Model{Goal: time.Duration(c.Fleet.GoalMilliseconds) * time.Millisecond}
	for _, credit := range usd[len(ladder):] {
		model.SurplusUSD = max(model.SurplusUSD, credit)
	}
	return fleet, model, errors.Join(errs...)
}
