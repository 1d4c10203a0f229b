// Command service counts. Each region adds to an item of its own, and a count is the
// sum of all regions' items: an addition to one item from two regions would lose
// one of them, since the last writer wins in a global table.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// version is what a deployment of another version changes.
const version = "1"

// count is the answer to everything: what was counted, and where it was answered.
type count struct {
	Name    string `json:"name"`
	Count   int    `json:"count"`
	Region  string `json:"region"`
	Version string `json:"version"`
}

type server struct {
	tables                      *dynamodb.Client
	buckets                     *s3.Client
	region, counters, snapshots string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{
		tables:  dynamodb.NewFromConfig(aws),
		buckets: s3.NewFromConfig(aws, func(o *s3.Options) { o.UsePathStyle = true }),
		region:  aws.Region, counters: os.Getenv("COUNTERS"), snapshots: os.Getenv("SNAPSHOTS"),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /counters/{name}", s.answer(s.sum))
	mux.HandleFunc("POST /counters/{name}", s.answer(s.add))
	mux.HandleFunc("POST /counters/{name}/snapshot", s.answer(s.snapshot))
	listener := &http.Server{Addr: cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done() // the load balancer sends no more; what is under way is answered
		within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = listener.Shutdown(within)
	}()
	log.Printf("version %s listens on %s", version, listener.Addr)
	if err := listener.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}

// answer writes what do returns as JSON, and 503 where it fails.
func (s *server) answer(do func(context.Context, string) (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		n, err := do(r.Context(), name)
		if err != nil {
			log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
			http.Error(w, "the counters cannot be reached", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(count{name, n, s.region, version})
	}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func (s *server) add(ctx context.Context, name string) (int, error) {
	update := "ADD hits :one"
	_, err := s.tables.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.counters, UpdateExpression: &update,
		Key:                       map[string]types.AttributeValue{"name": text(name), "region": text(s.region)},
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
	})
	if err != nil {
		return 0, err
	}
	return s.sum(ctx, name)
}

func (s *server) sum(ctx context.Context, name string) (sum int, err error) {
	condition := "#name = :name"
	out, err := s.tables.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.counters, KeyConditionExpression: &condition,
		ExpressionAttributeNames:  map[string]string{"#name": "name"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":name": text(name)},
	})
	if err != nil {
		return 0, err
	}
	var regions []struct {
		Hits int `dynamodbav:"hits"`
	}
	err = attributevalue.UnmarshalListOfMaps(out.Items, &regions)
	for _, r := range regions {
		sum += r.Hits
	}
	return sum, err
}

// snapshot keeps a count in the bucket, which replicates it to the other regions.
func (s *server) snapshot(ctx context.Context, name string) (int, error) {
	n, err := s.sum(ctx, name)
	if err != nil {
		return 0, err
	}
	b, err := json.Marshal(count{name, n, s.region, version})
	if err != nil {
		return 0, err
	}
	key := name + ".json"
	_, err = s.buckets.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.snapshots, Key: &key, Body: bytes.NewReader(b)})
	return n, err
}
