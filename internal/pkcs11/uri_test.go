package pkcs11_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/git-model-sign/git-model-sign/internal/pkcs11"
)

func TestParseURI(t *testing.T) {
	slot := uint64(7)
	for text, want := range map[string]pkcs11.URI{
		"pkcs11:":                     {},
		"pkcs11:token=a;object=b":     {Token: "a", Object: "b"},
		"PKCS11:token=a":              {Token: "a"},
		"pkcs11:token=My%20token%3b+": {Token: "My token;+"},
		"pkcs11:id=%01%ff;type=cert":  {ID: []byte{1, 255}, Type: pkcs11.Certificate},
		"pkcs11:id=ab":                {ID: []byte("ab")},
		"pkcs11:slot-id=7;manufacturer=m;model=n;serial=0123": {SlotID: &slot, Manufacturer: "m", Model: "n", Serial: "0123"},
		"pkcs11:library-version=3;library-manufacturer=m;library-description=d;slot-manufacturer=s;slot-description=x": {
			LibraryVersion: "3.0", LibraryManufacturer: "m", LibraryDescription: "d", SlotManufacturer: "s", SlotDescription: "x"},
		"pkcs11:object=k?module-path=/a/b.so&pin-value=1%26?2":  {Object: "k", ModulePath: "/a/b.so", PINValue: "1&?2"},
		"pkcs11:?module-name=softhsm2&pin-source=file:/etc/pin": {ModuleName: "softhsm2", PINSource: "/etc/pin"},
		"pkcs11:?pin-source=/etc/pin":                           {PINSource: "/etc/pin"},
		"pkcs11:?pin-source=file:///etc/pin":                    {PINSource: "/etc/pin"},
		"pkcs11:?pin-source=file://localhost/etc/pin":           {PINSource: "/etc/pin"},
		"pkcs11:?pin-source=FILE://LOCALHOST/etc/pin":           {PINSource: "/etc/pin"},
		"pkcs11:?pin-source=file:/my%2520pins/a%2525":           {PINSource: "/my pins/a%"}, // percent-encoded in the URI in the URI
		"pkcs11:?pin-source=/my%20pins/a%2520b":                 {PINSource: "/my pins/a%20b"},
		"pkcs11:id=%3B%3b/%2F":                                  {ID: []byte(";;//")},
	} {
		got, err := pkcs11.ParseURI(text)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s is %+v (%v), want %+v", text, got, err, want)
		}
	}
}

func TestParseURIRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      `does not begin with "pkcs11:"`,
		"pkcs11:" + strings.Repeat("x", 5000):   "the longest",
		"pkcs11:token":                          `without "="`,
		"pkcs11:token=a;":                       `without "="`,
		"pkcs11:token=a;token=b":                "token is given twice",
		"pkcs11:x-vendor=a":                     `unknown attribute "x-vendor"`,
		"pkcs11:token=":                         "token is empty",
		"pkcs11:token=%0a":                      "control characters",
		"pkcs11:token=\n":                       "control characters",
		"pkcs11:token=%ff":                      "UTF-8",
		"pkcs11:token=%4":                       "percent sign",
		"pkcs11:token=%zz":                      "percent sign",
		"pkcs11:type=secret-key":                "expected private, public or cert",
		"pkcs11:slot-id=-1":                     "expected a decimal number",
		"pkcs11:id=" + strings.Repeat("a", 257): "at most 256",
		"pkcs11:module-path=/a":                 `stands behind a "?"`,
		"pkcs11:?token=a":                       `stands before the "?"`,
		"pkcs11:?module-path=a.so":              "expected an absolute path",
		"pkcs11:?module-name=../a":              "without folders",
		"pkcs11:?module-name=a&module-path=/a":  "two modules",
		"pkcs11:?pin-source=/a&pin-value=1":     "two PINs",
		"pkcs11:?pin-source=pin":                "absolute path",
		"pkcs11:?pin-source=%7c/usr/bin/ask":    "absolute path",
		"pkcs11:?pin-source=file://host/pin":    "absolute path",
		"pkcs11:?pin-source=https://host/pin":   "absolute path",
		"pkcs11:?pin-source=file:/a%25zz":       "percent sign",
		"pkcs11:?pin-source=file:/a%2500":       "absolute path",
		"pkcs11:?x-vendor=a":                    `unknown attribute "x-vendor"`,
		"pkcs11:Token=a":                        `unknown attribute "Token"`,
		"pkcs11:token=a;;object=b":              `without "="`,
		"pkcs11:slot-id=0x1":                    "expected a decimal number",
		"pkcs11:slot-id=18446744073709551616":   "expected a decimal number",
		"pkcs11:?module-path=%00":               "control characters",
	} {
		_, err := pkcs11.ParseURI(text)
		if !errors.Is(err, pkcs11.ErrURI) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// No error and no name that is made of a URI holds its PIN.
func TestPINIsNotShown(t *testing.T) {
	const pin = "s3cr3t"
	for _, text := range []string{
		"pkcs11:token=a?pin-value=s3cr3t", "pkcs11:pin-value=s3cr3t", "pkcs11:?pin-value=s3cr3t&s3cr3t", "pkcs11:?pin-value=s3cr3t%",
		"pkcs11:?pin-value=s3cr3t%0a", "pkcs11:?pin-value=s3cr3t&pin-source=/a", "pkcs11:?pin-source=s3cr3t", "pkcs11:token=a;s3cr3t",
		"pkcs11:?pin-value=1&s3cr3t=2", "pkcs11:?pin-value=1&&s3cr3t=2", "pkcs11:token=a&pin-value=s3cr3t", "pkcs11:token=a%3fpin-value=s3cr3t",
		"pkcs11:?module-path=/a;pin-value=s3cr3t", "pkcs11:?module-name=a?pin-value=s3cr3t", "pkcs11:?pin-source=|s3cr3t",
	} {
		u, err := pkcs11.ParseURI(text)
		if err != nil && strings.Contains(err.Error(), pin) {
			t.Errorf("%s: the error shows the PIN: %v", text, err)
		}
		if err == nil && strings.Contains(u.String()+u.DescribeToken()+u.DescribeObject()+u.ModulePath+u.ModuleName, pin) {
			t.Errorf("%s: its name shows the PIN: %s", text, u)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, seed := range []string{"pkcs11:", "pkcs11:token=a;id=%01?pin-value=1&module-path=/a", "pkcs11:type=cert;slot-id=1", "pkcs11:?pin-source=file://localhost/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := pkcs11.ParseURI(text)
		if err != nil {
			if !errors.Is(err, pkcs11.ErrURI) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if s := u.String(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q is named %q", text, s)
		}
	})
}
