package hub

import (
	"net/http"
	"time"
)

// newTransport is Go's own, with HTTP/2 and TLS as they are there, and proxies by
// HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
func newTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 8
	// A dead connection is noticed by its silence, and would be taken again for
	// the next try if nobody asked it.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 10 * time.Second}
	return t
}
