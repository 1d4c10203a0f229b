package web

import (
	"encoding/json"
	"net/http"
)

// Island is where the service runs.
type Island struct {
	// Region and Zone are AWS's, "" beyond AWS.
	Region string `json:"region" doc:"AWS region, such as eu-west-1; empty beyond AWS"`
	Zone   string `json:"zone" doc:"Availability zone, such as eu-west-1a; empty beyond AWS"`
	// Instance is the EC2 instance's id, or the host's name beyond AWS.
	Instance string `json:"instance" doc:"EC2 instance id, or the host's name beyond AWS"`
	// Type is the EC2 instance's type, "" beyond AWS.
	Type string `json:"type" doc:"EC2 instance type; empty beyond AWS"`
	// Version is the service's.
	Version string `json:"version" doc:"Version of the service"`
}

// island shows a person, or a program that asks for JSON, who answers.
func (s *Server) island(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept")
	if r.Header.Get("Accept") == "application/json" {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(s.Island())
	}
	return s.renderIsland(w, r, http.StatusOK, loadForm{})
}
