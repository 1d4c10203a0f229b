// Package al2023 names AWS's images of Amazon Linux 2023.
package al2023

// Parameter returns AWS's public SSM parameter of the latest image of an
// architecture, "arm64" or "x86_64". Source: Amazon Linux 2023 User Guide,
// "Launching AL2023 using the SSM parameter".
func Parameter(architecture string) string {
	return "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-" + architecture
}
