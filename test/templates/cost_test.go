package templates_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestReadmeStatesTheCost: of the shipped configuration, within 2 %.
func TestReadmeStatesTheCost(t *testing.T) {
	deployment, err := cost.Read(matrix.Synthesize(t, "shipped").Dir)
	if err != nil {
		t.Fatal(err)
	}
	prices, err := cost.ReadPrices()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range cost.Loads {
		estimate, err := prices.Estimate(deployment, load)
		if err != nil {
			t.Fatal(err)
		}
		want := estimate.Total()
		stated := regexp.MustCompile(`\$([0-9,]+) at ` + fmt.Sprint(load.Requests) + `\b`).FindSubmatch(readme)
		if stated == nil {
			t.Errorf("README.md does not say what %g requests a second cost: $%.0f", load.Requests, want)
			continue
		}
		got, err := strconv.ParseFloat(strings.ReplaceAll(string(stated[1]), ",", ""), 64)
		if err != nil || math.Abs(got-want) > want/50 {
			t.Errorf("README.md says that %g requests a second cost $%s, it is $%.0f", load.Requests, stated[1], want)
		}
	}
}
