// Command hello synthesizes the stacks that cdk.json describes: the CDK CLI runs it.
package main

import "github.com/archipelago-cdk/archipelago/app"

func main() { app.Main() }
