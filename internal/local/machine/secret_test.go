package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// TestSecrets boots with the fleet's commands: a parameter that is missing at first is
// waited for, the service reads its secrets from files, and no value is printed.
func TestSecrets(t *testing.T) {
	values := map[string]string{"/hello/api-key": "hush  *\nof two lines", "hello/db": "hush, too"}
	var mu sync.Mutex
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in struct {
			Name, SecretId string
			WithDecryption bool
		}
		switch target := r.Header.Get("X-Amz-Target"); {
		case target == "" && strings.Contains(string(body), "AssumeRole"):
			_, _ = io.WriteString(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
		case json.Unmarshal(body, &in) != nil:
			http.Error(w, "not JSON", http.StatusBadRequest)
		case target == "AmazonSSM.GetParameter" && in.WithDecryption:
			mu.Lock()
			asked++
			missing := asked == 1
			mu.Unlock()
			if missing {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"__type": "ParameterNotFound"}`)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]string{"Value": values[in.Name]}})
		case target == "secretsmanager.GetSecretValue":
			_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": values[in.SecretId]})
		default:
			http.Error(w, target, http.StatusNotFound)
		}
	}))
	defer server.Close()
	b, err := os.ReadFile("../../../constructs/fleet/secrets.sh")
	if err != nil {
		t.Fatal(err)
	}
	fetch := strings.NewReplacer("@REGION@", "eu-west-1", "@FETCHES@", `secret API_KEY ssm get-parameter --with-decryption --query Parameter.Value --name '/hello/api-key'
secret DB secretsmanager get-secret-value --query SecretString --secret-id 'hello/db'`).Replace(string(b))
	dir, err := os.MkdirTemp("", "machine") // t.TempDir's parent is for its owner alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var output lockedBuffer
	m := &Machine{
		Instance: emulator.Instance{ID: "i-1", Region: "eu-west-1", Type: "m7g.medium", Role: "arn:aws:iam::123456789012:role/fleet", UserData: "set -euo pipefail\n" + fetch + `
cat >/usr/local/bin/app <<'END'
#!/bin/sh
echo "read $(wc -c <"$API_KEY_FILE") and $(wc -c <"$DB_FILE") bytes of $(ls "$CREDENTIALS_DIRECTORY" | wc -l) files"
exec sleep 100
END
chmod 0755 /usr/local/bin/app
cat >/etc/systemd/system/app.service <<'END'
[Service]
ExecStart=/usr/local/bin/app
DynamicUser=true
LoadCredential=API_KEY:/etc/archipelago/secrets/API_KEY
Environment=API_KEY_FILE=%d/API_KEY
LoadCredential=DB:/etc/archipelago/secrets/DB
Environment=DB_FILE=%d/DB
END
systemctl enable --now app.service
`},
		url: server.URL, root: filepath.Join(dir, "i-1"), output: &output, log: log.New(&output, "", 0),
	}
	ctx, cancel := context.WithCancel(t.Context())
	m.cancel = cancel
	defer m.Stop()
	if err := m.boot(ctx, ""); err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	want := fmt.Sprintf("read %d and %d bytes of 2 files", len(values["/hello/api-key"]), len(values["hello/db"]))
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(output.String(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("want %q in\n%s", want, output.String())
		}
	}
	if got := output.String(); strings.Contains(got, "hush") || !strings.Contains(got, "ParameterNotFound") {
		t.Errorf("want the failure told, and no value:\n%s", got)
	}
	for path, want := range map[string]os.FileMode{"etc/archipelago/secrets": 0o700, "run/credentials/app.service": 0o700, "run/credentials/app.service/DB": 0o400} {
		info, err := os.Stat(filepath.Join(m.root, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want the mode %o, got %v", path, err, want, info)
		}
	}
}

func TestUnitWithoutItsCredentialFails(t *testing.T) {
	root := t.TempDir()
	u := writeUnit(t, "[Service]\nExecStart=/app\nLoadCredential=A:/etc/a\n")
	if err := u.loadCredentials(root); err == nil || err.Error() != "/etc/a: no such file or directory" {
		t.Errorf("got %v", err)
	}
}
