// Package setting names what the service is told by its environment.
package setting

// Names of the service's settings, as environment variables. An empty or
// absent one has its default.
const (
	// Region is the AWS region the instance runs in, such as "eu-west-1". The
	// AWS SDK reads the same name. Default: none, which is right for the
	// embedded store.
	Region = "AWS_REGION"
	// Listen is the TCP address to serve on. Default: "127.0.0.1:8080".
	Listen = "LISTEN"
	// EmployeesTable is the DynamoDB table that holds the employees. Default:
	// none, the employees are in the embedded store. It goes together with
	// SessionsTable and PhotosBucket.
	EmployeesTable = "EMPLOYEES_TABLE"
	// PhotosBucket is the name of the S3 bucket that holds the photos, in
	// which RegionPlaceholder stands for the region: each region has its own
	// bucket, and a photo that has not been replicated yet is read from the
	// one it was uploaded to. Default: none.
	PhotosBucket = "PHOTOS_BUCKET"
	// SessionsTable is the DynamoDB table of what is true for a while: sessions,
	// counts of attempts, heartbeats. It goes together with EmployeesTable.
	SessionsTable = "SESSIONS_TABLE"
	// DataDir is the directory of the embedded store. Default: "data".
	DataDir = "DATA_DIR"
	// SpoolDir is the directory in which uploads lie while they are worked on, on
	// a disk. Default: the system's directory for temporary files.
	SpoolDir = "SPOOL_DIR"
	// AllowCleartext set to "true" allows writes by clients that come neither
	// over TLS nor from this machine's loopback. Default: "false".
	AllowCleartext = "ALLOW_CLEARTEXT"
	// Reads is ReadsOpen or ReadsSignedIn: who may read. Default: ReadsOpen.
	Reads = "READS"
	// TrustedProxies are the address ranges, between commas, of the load
	// balancers whose X-Forwarded headers tell the truth, such as
	// "10.24.0.0/16". Default: none.
	TrustedProxies = "TRUSTED_PROXIES"
	// LoadGenerator set to "true" lets people who are signed in burn CPU on an
	// instance for a bounded time, to see scaling. Default: "false".
	LoadGenerator = "LOAD_GENERATOR"
	// Pulse is "absent" where nothing says what the fleet reaches: a fleet without a pulse
	// sets it. Default: something does, or there is no fleet.
	Pulse = "PULSE"
	// WriteRate is how many writes a second an account may make on one instance
	// for long; ten times as many at once. Default: "10".
	WriteRate = "WRITE_RATE"
)

// Values of Reads.
const (
	// ReadsOpen lets everybody read who reaches the service.
	ReadsOpen = "open"
	// ReadsSignedIn asks for an account.
	ReadsSignedIn = "signed-in"
)

// RegionPlaceholder is the part of PhotosBucket that the service replaces by a
// region's name.
const RegionPlaceholder = "{region}"

// Paths that the load balancer and the service agree on.
const (
	// LivePath answers 200 while the process can serve at all.
	LivePath = "/livez"
	// ReadyPath answers 200 while the stores answer too.
	ReadyPath = "/readyz"
)
