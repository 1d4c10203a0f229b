package scaling

// What a fleet has where its configuration does not say it.
const (
	// DefaultMin is the fewest instances.
	DefaultMin = 2
	// DefaultMax is the most.
	DefaultMax = 6
	// DefaultCPUTarget is the CPU use, in percent, that their number is held to.
	DefaultCPUTarget = 55
)

// DefaultLadder are the instance types, the smallest first.
func DefaultLadder() []string {
	return []string{"m7g.medium", "m7g.large", "m7g.xlarge", "m7g.2xlarge"}
}
