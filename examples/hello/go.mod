module example.com/hello

go 1.26.0

toolchain go1.26.8

tool (
	github.com/archipelago-cdk/archipelago/cmd/archipelago
	github.com/archipelago-cdk/archipelago/cmd/lighthouse
	github.com/archipelago-cdk/archipelago/cmd/pulse
	github.com/archipelago-cdk/archipelago/cmd/scaler
)

require (
	github.com/archipelago-cdk/archipelago v0.2.0
	github.com/aws/aws-sdk-go-v2/config v1.33.16
	github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue v1.21.20
	github.com/aws/aws-sdk-go-v2/service/dynamodb v1.73.2
	github.com/aws/aws-sdk-go-v2/service/s3 v1.114.9
)
