package scaling

// Kind is what to do with a fleet.
type Kind string

const (
	// Stay: nothing.
	Stay Kind = "stay"
	// Up: replace all instances by those of the next larger rung.
	Up Kind = "up"
	// Down: replace all instances by those of the next smaller rung.
	Down Kind = "down"
	// Recycle: replace all instances by new ones of the same rung.
	Recycle Kind = "recycle"
	// Reconcile: bring the fleet to the type that its parameter holds; instances
	// that have it are left.
	Reconcile Kind = "reconcile"
)

// Action is what Decide decided.
type Action struct {
	Kind Kind
	// To is the rung that the fleet should have; the present one to stay, and none
	// where that is not known.
	To Rung
	// Advice: the mode is "advise", so nothing is to be done but to say it.
	Advice bool
	// Reason says why.
	Reason Reason
}
