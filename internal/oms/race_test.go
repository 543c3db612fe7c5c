//go:build race

package oms_test

const raceEnabled = true
