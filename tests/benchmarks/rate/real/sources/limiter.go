package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

var path = regexp.MustCompile(`^/(\d+)ms/.*/backup_instances/(\d+)/`)

func main() {
	var settings struct {
		Rate  float64
		Burst int
	}
	if err := json.Unmarshal([]byte(os.Args[2]), &settings); err != nil {
		panic(err)
	}
	limiter := rate.NewLimiter(rate.Limit(settings.Rate), settings.Burst)
	respond := func(w http.ResponseWriter, r *http.Request) {
		if !limiter.Allow() {
			http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
			return
		}
		found := path.FindStringSubmatch(r.URL.Path)
		wait, _ := strconv.Atoi(found[1])
		time.Sleep(time.Duration(wait) * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":1007,"backup_instance_id":%s,"status":"running"}`, found[2])
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(respond)))
}
