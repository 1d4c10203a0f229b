// Package setting names what the service is told by its environment: the one
// package that the constructs, which write these settings, and the service,
// which reads them, share.
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
	// PhotosBucket.
	EmployeesTable = "EMPLOYEES_TABLE"
	// PhotosBucket is the name of the S3 bucket that holds the photos, in
	// which RegionPlaceholder stands for the region: each region has its own
	// bucket, and a photo that has not been replicated yet is read from the
	// one it was uploaded to. Default: none.
	PhotosBucket = "PHOTOS_BUCKET"
	// DataDir is the directory of the embedded store. Default: "data".
	DataDir = "DATA_DIR"
	// AllowCleartext set to "true" allows writes by clients that come neither
	// over TLS nor from this machine's loopback. Default: "false".
	AllowCleartext = "ALLOW_CLEARTEXT"
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

// Port is the TCP port the service listens on behind a load balancer.
const Port = 8080
