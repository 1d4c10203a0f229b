package emulatortest

// Disturbing are settings, NAME=VALUE, of which none may reach a program that speaks
// to the emulator.
var Disturbing = []string{
	"AWS_PROFILE=corp",
	"AWS_DEFAULT_PROFILE=corp",
	"AWS_SESSION_TOKEN=secret",
	"AWS_ENDPOINT_URL=http://127.0.0.1:1",
	"AWS_ENDPOINT_URL_S3=http://127.0.0.1:1",
	"AWS_ENDPOINT_URL_STS=http://127.0.0.1:1",
	"AWS_ENDPOINT_URL_CLOUDFORMATION=http://127.0.0.1:1",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=True",
	"AWS_CONFIG_FILE=/nowhere/config",
	"AWS_SHARED_CREDENTIALS_FILE=/nowhere/credentials",
	"AWS_CA_BUNDLE=/nowhere.pem",
	"aws_ca_bundle=/nowhere.pem",
	"AWS_USE_FIPS_ENDPOINT=True",
	"CDK_PROFILE=corp",
	"NODE_OPTIONS=--require=/nowhere.js",
	"JSII_RUNTIME=false",
	"MOTO_ACCOUNT_ID=1",
	"npm_config_proxy=http://127.0.0.1:1",
	"npm_config_http_proxy=http://127.0.0.1:1",
	"npm_config_https_proxy=http://127.0.0.1:1",
	"NPM_CONFIG_HTTPS_PROXY=http://127.0.0.1:1",
	"npm_config_no_proxy=corp.example",
	"NPM_CONFIG_NOPROXY=corp.example",
	"PYTHONHOME=/nowhere",
	"PYTHONPATH=/nowhere",
	"PYTHONSAFEPATH=1",
	"PYTHONSTARTUP=/nowhere.py",
	"PYTHONWARNINGS=error",
}
