package oms_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/oms"
)

func TestPAE(t *testing.T) {
	// The example of the DSSE specification, and the empty one.
	got := oms.PAE("http://example.com/HelloWorld", []byte("hello world"))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; string(got) != want {
		t.Errorf("got %q, expected %q", got, want)
	}
	if got, want := oms.PAE("", nil), "DSSEv1 0  0 "; string(got) != want {
		t.Errorf("got %q, expected %q", got, want)
	}
}

// pythonBytes pairs bytes with what Python 3.11 prints for them.
var pythonBytes = []struct{ payload, repr string }{
	{"", `b''`},
	{"plain", `b'plain'`},
	{"it's", `b"it's"`},
	{"say \x22hi\x22", `b'say "hi"'`},
	{"it's \x22both\x22", `b'it\'s "both"'`},
	{"'", `b"'"`},
	{"\x22", `b'"'`},
	{"back\x5cslash", `b'back\\slash'`},
	{"\x09\x0a\x0d\x00\x01\x0b\x0c\x1b\x1f ~\x7f\x80\xff", `b'\t\n\r\x00\x01\x0b\x0c\x1b\x1f ~\x7f\x80\xff'`},
	{"\xc3\xa9\xf0\x9f\x98\x80", `b'\xc3\xa9\xf0\x9f\x98\x80'`},
	{"\x5c'", `b"\\'"`},
	{"\x5c\x22'", `b'\\"\''`},
	{"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f !\x22#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\x5c]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff", "b'\x5cx00\x5cx01\x5cx02\x5cx03\x5cx04\x5cx05\x5cx06\x5cx07\x5cx08\x5ct\x5cn\x5cx0b\x5cx0c\x5cr\x5cx0e\x5cx0f\x5cx10\x5cx11\x5cx12\x5cx13\x5cx14\x5cx15\x5cx16\x5cx17\x5cx18\x5cx19\x5cx1a\x5cx1b\x5cx1c\x5cx1d\x5cx1e\x5cx1f !\x22#$%&\x5c'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\x5c\x5c]^_`abcdefghijklmnopqrstuvwxyz{|}~\x5cx7f\x5cx80\x5cx81\x5cx82\x5cx83\x5cx84\x5cx85\x5cx86\x5cx87\x5cx88\x5cx89\x5cx8a\x5cx8b\x5cx8c\x5cx8d\x5cx8e\x5cx8f\x5cx90\x5cx91\x5cx92\x5cx93\x5cx94\x5cx95\x5cx96\x5cx97\x5cx98\x5cx99\x5cx9a\x5cx9b\x5cx9c\x5cx9d\x5cx9e\x5cx9f\x5cxa0\x5cxa1\x5cxa2\x5cxa3\x5cxa4\x5cxa5\x5cxa6\x5cxa7\x5cxa8\x5cxa9\x5cxaa\x5cxab\x5cxac\x5cxad\x5cxae\x5cxaf\x5cxb0\x5cxb1\x5cxb2\x5cxb3\x5cxb4\x5cxb5\x5cxb6\x5cxb7\x5cxb8\x5cxb9\x5cxba\x5cxbb\x5cxbc\x5cxbd\x5cxbe\x5cxbf\x5cxc0\x5cxc1\x5cxc2\x5cxc3\x5cxc4\x5cxc5\x5cxc6\x5cxc7\x5cxc8\x5cxc9\x5cxca\x5cxcb\x5cxcc\x5cxcd\x5cxce\x5cxcf\x5cxd0\x5cxd1\x5cxd2\x5cxd3\x5cxd4\x5cxd5\x5cxd6\x5cxd7\x5cxd8\x5cxd9\x5cxda\x5cxdb\x5cxdc\x5cxdd\x5cxde\x5cxdf\x5cxe0\x5cxe1\x5cxe2\x5cxe3\x5cxe4\x5cxe5\x5cxe6\x5cxe7\x5cxe8\x5cxe9\x5cxea\x5cxeb\x5cxec\x5cxed\x5cxee\x5cxef\x5cxf0\x5cxf1\x5cxf2\x5cxf3\x5cxf4\x5cxf5\x5cxf6\x5cxf7\x5cxf8\x5cxf9\x5cxfa\x5cxfb\x5cxfc\x5cxfd\x5cxfe\x5cxff'"},
	{"\xa5M\xca\x18%0\xbb\x1dm\x13,\xde\xd6#{.\xd9\x1e?r\x1f\xcb\x19q\x17D\x94\xd6I<\x9d\x5c4`\xbe1 \x1ei\xfe\xda\xa0\xee\xe8\xb9\x99\x7f\x5c", "b'\x5cxa5M\x5cxca\x5cx18%0\x5cxbb\x5cx1dm\x5cx13,\x5cxde\x5cxd6#{.\x5cxd9\x5cx1e?r\x5cx1f\x5cxcb\x5cx19q\x5cx17D\x5cx94\x5cxd6I<\x5cx9d\x5c\x5c4`\x5cxbe1 \x5cx1ei\x5cxfe\x5cxda\x5cxa0\x5cxee\x5cxe8\x5cxb9\x5cx99\x5cx7f\x5c\x5c'"},
}

func TestLegacyPAE(t *testing.T) {
	for _, tt := range pythonBytes {
		got := oms.LegacyPAE(oms.PayloadType, []byte(tt.payload))
		want := fmt.Sprintf("DSSEV1 28 application/vnd.in-toto+json %d %s", len(tt.payload), tt.repr)
		if string(got) != want {
			t.Errorf("got %q, expected %q", got, want)
		}
	}
}

// Every pair of bytes, as the Python of this machine prints it.
func TestLegacyPAEAgainstPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on PATH to compare with")
	}
	want, err := exec.CommandContext(t.Context(), python, "-c", "for i in range(256):\n for j in range(256): print(bytes([i, j, 34]), bytes([i, j]))").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	repr := func(payload ...byte) []byte {
		return bytes.TrimPrefix(oms.LegacyPAE("", payload), fmt.Appendf(nil, "DSSEV1 0  %d ", len(payload)))
	}
	for i := range 256 {
		for j := range 256 {
			fmt.Fprintf(&got, "%s %s\n", repr(byte(i), byte(j), '"'), repr(byte(i), byte(j)))
		}
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("some pair of bytes is printed otherwise than by Python")
	}
}
