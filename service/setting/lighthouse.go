package setting

// Names of the lighthouse's settings, as environment variables. It also reads
// EmployeesTable and PhotosBucket, here the name of its own region's bucket.
const (
	// Deployment is the deployment's name, a dimension of the lighthouse's
	// metrics. Required.
	Deployment = "DEPLOYMENT"
	// Drained set to "true" keeps the island dark. Default: "false".
	Drained = "DRAINED"
	// DrainParameter is the SSM parameter with which an operator darkens the
	// island: it does while it holds "true". Required; the parameter need not
	// exist.
	DrainParameter = "DRAIN_PARAMETER"
)

// LighthousePath is where a load balancer asks whether its island is lit.
const LighthousePath = "/lighthouse"

// LighthouseItem is the partition key of the one item of the employees table
// that region's lighthouse reads and writes.
func LighthouseItem(region string) string { return "lighthouse#" + region }

// LighthouseObject is the key of the one object that region's lighthouse reads
// and writes in its bucket of photos.
func LighthouseObject(region string) string { return "lighthouse/" + region }

// Metrics of ours, in the namespace MetricNamespace with the one
// dimension MetricDimension, whose value is the deployment's name.
const (
	MetricNamespace = "Archipelago"
	MetricDimension = "Deployment"
	// FailingMetric counts the parts of the island that fail: 0 while all is well.
	FailingMetric = "Failing"
	// DrainedMetric is 1 while the island is dark because somebody wants it so.
	DrainedMetric = "Drained"
	// MemoryMetric and DiskMetric are how much of an instance's memory and of its
	// disk is used, in percent. Their names are the CloudWatch agent's.
	MemoryMetric = "mem_used_percent"
	DiskMetric   = "disk_used_percent"
)
