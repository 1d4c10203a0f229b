package matrix

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

var (
	all   = flag.Bool("all", false, "prove all configurations, not those of the gate alone")
	shard = shardOf{of: 1}
)

func init() {
	flag.Var(&shard, "shard", "prove shard `i/n` of all configurations, 0/n to n-1/n, in place of those of the gate")
}

// shardOf is one of some parts of the configurations.
type shardOf struct {
	number, of int
	set        bool
}

func (s *shardOf) String() string { return fmt.Sprintf("%d/%d", s.number, s.of) }

// Set reads i/n.
func (s *shardOf) Set(text string) error {
	number, of, _ := strings.Cut(text, "/")
	i, err := strconv.Atoi(number)
	n, err2 := strconv.Atoi(of)
	if err != nil || err2 != nil || i < 0 || i >= n {
		return errors.New("want i/n with 0 <= i < n, such as 0/8")
	}
	*s = shardOf{i, n, true}
	return nil
}

// All reports whether this run proves configurations outside the gate.
func All() bool { return *all || shard.set }

// Whole reports whether this run proves the whole gate, so that what none of its
// configurations needs is needed by none.
func Whole() bool { return !shard.set }

// Chosen returns the names of the configurations that this run proves: those of
// the gate, with -all all of them, with -shard a part of all.
func Chosen() []string {
	names := Names()
	if !All() {
		return slices.DeleteFunc(names, func(name string) bool { return !Configurations[name].Gate })
	}
	return part(names, Weight, shard)
}

// Mine reports whether this run proves the nth of what has no weight: with -shard a
// part of all.
func Mine(n int) bool { return n%shard.of == shard.number }

// Shard returns the number of this run's shard, or 0.
func Shard() int { return shard.number }

// part returns one of s.of parts that weigh about the same: each name, the
// heaviest first, joins the lightest part.
func part(names []string, weight func(string) int, s shardOf) []string {
	order := slices.Clone(names)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(weight(b), weight(a)) })
	parts, loads := make([][]string, s.of), make([]int, s.of)
	for _, name := range order {
		lightest := slices.Index(loads, slices.Min(loads))
		parts[lightest] = append(parts[lightest], name)
		loads[lightest] += weight(name)
	}
	slices.Sort(parts[s.number])
	return parts[s.number]
}

// Weight is about how long a configuration takes, from its synth to its life: that
// goes with its regions.
func Weight(name string) int {
	c, err := Parse(name)
	if err != nil {
		panic(err) // TestConfigurationsAreValid says more
	}
	return 2 + len(c.Regions)
}
