package machine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	tokenHeader    = "X-Aws-Ec2-Metadata-Token"
	tokenTTLHeader = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	credentialsDir = "/latest/meta-data/iam/security-credentials/"
)

// serveMetadata serves the part of the instance metadata service, version 2,
// that the AWS SDK asks, until ctx ends. It returns the address.
func (m *Machine) serveMetadata(ctx context.Context) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	token := rand.Text()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(tokenTTLHeader, r.Header.Get(tokenTTLHeader))
		_, _ = w.Write([]byte(token))
	})
	get := func(path string, answer func(context.Context) (string, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(tokenHeader) != token {
				http.Error(w, "Unauthorized", http.StatusUnauthorized)
				return
			}
			text, err := answer(r.Context())
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = w.Write([]byte(text))
		})
	}
	text := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	get("/latest/meta-data/instance-id", text(m.ID))
	get("/latest/meta-data/instance-type", text(m.Type))
	get("/latest/meta-data/placement/availability-zone", text(m.Zone))
	get("/latest/meta-data/placement/region", text(m.Region))
	get("/latest/dynamic/instance-identity/document", m.identity)
	if m.Role != "" {
		role := m.Role[strings.LastIndex(m.Role, "/")+1:]
		get(credentialsDir+"{$}", text(role))
		get(credentialsDir+role, m.credentials)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	m.done.Go(func() { _ = server.Serve(listener) })
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return "http://" + listener.Addr().String(), nil
}

func (m *Machine) identity(context.Context) (string, error) {
	b, err := json.Marshal(map[string]string{
		"accountId": m.Account, "region": m.Region, "availabilityZone": m.Zone,
		"instanceId": m.ID, "instanceType": m.Type, "version": "2017-09-30",
	})
	return string(b), err
}

// assumeRole gives the credentials of the instance's role, as the emulator issues
// them.
func (m *Machine) assumeRole() aws.CredentialsProvider {
	client := sts.New(sts.Options{
		Region: m.Region, BaseEndpoint: &m.url,
		Credentials: credentials.NewStaticCredentialsProvider(emulator.AccessKey, emulator.AccessKey, ""),
	})
	return stscreds.NewAssumeRoleProvider(client, m.Role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = m.ID })
}

// credentials are those of the instance's role in the form of the metadata service.
func (m *Machine) credentials(ctx context.Context) (string, error) {
	c, err := m.assumeRole().Retrieve(ctx)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]string{
		"Code": "Success", "Type": "AWS-HMAC",
		"LastUpdated": time.Now().UTC().Format(time.RFC3339),
		"AccessKeyId": c.AccessKeyID, "SecretAccessKey": c.SecretAccessKey,
		"Token": c.SessionToken, "Expiration": c.Expires.UTC().Format(time.RFC3339),
	})
	return string(b), err
}
