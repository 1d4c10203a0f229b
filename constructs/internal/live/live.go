// Package live is what a controller tells a fleet of what the fleet launches.
package live

// Live is what a group launches while something other than CloudFormation moves it.
type Live struct {
	// LaunchTemplateID, Version and InstanceType are tokens of what that was when
	// the deployment began. Required.
	LaunchTemplateID, Version, InstanceType *string `required:"true"`
	// Follow is given the group's other properties, as they will be: what answers
	// Live has to be asked again when they change. They are known when the template is
	// written. Required.
	Follow func(properties func() any) `required:"true"`
}
