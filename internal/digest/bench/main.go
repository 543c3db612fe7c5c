package main
import ("runtime/pprof";"context";"fmt";"os";"path/filepath";"time";"io";"crypto/sha256";"sync";"sort";"sync/atomic";"syscall"; "flag"; "github.com/git-model-sign/git-model-sign/internal/digest")
func cpu() float64 { var r syscall.Rusage; syscall.Getrusage(0,&r); return float64(r.Utime.Sec+r.Stime.Sec)+float64(r.Utime.Usec+r.Stime.Usec)/1e6}
func main(){
 backend:=flag.String("b","","")
 reps:=flag.Int("r",3,""); prof:=flag.String("p","","")
 shards:=flag.Int64("s",0,"")
 flag.Parse(); if *prof!="" { pf,_:=os.Create(*prof); defer pf.Close(); defer pprof.StopCPUProfile(); _=pprof.StartCPUProfile(pf) }
 var items []digest.Item; var total int64
 filepath.Walk(flag.Arg(0),func(p string,i os.FileInfo,e error)error{ if e==nil&&!i.IsDir() { total+=i.Size(); if *shards>0 { for o:=int64(0);o<i.Size();o+=*shards { items=append(items,digest.Item{Name:p,Offset:o,Length:min(*shards,i.Size()-o),Size:i.Size(),Open:func()(digest.File,error){return os.Open(p)}}) } } else {items=append(items,digest.Item{Name:p,Length:-1,Size:i.Size(),Open:func()(digest.File,error){return os.Open(p)}})} }; return nil})
 for range *reps {
  t:=time.Now(); c:=cpu()
  sort.SliceStable(items,func(a,b int)bool{la,lb:=items[a].Size,items[b].Size; return la>lb})
  var next atomic.Int64; var wg sync.WaitGroup
  for range 2 { wg.Go(func(){ buf:=make([]byte,1<<20); for { n:=int(next.Add(1))-1; if n>=len(items){return}; f,_:=os.Open(items[n].Name); h:=sha256.New(); if *shards>0 {io.CopyBuffer(struct{io.Writer}{h},io.NewSectionReader(f,items[n].Offset,items[n].Length),buf)} else { for { k,e:=f.Read(buf); h.Write(buf[:k]); if e!=nil {break} } }; h.Sum(nil); f.Close() } }) }
  wg.Wait()
  d1,c1:=time.Since(t),cpu()-c
  t=time.Now(); c=cpu()
  if _,e:=(digest.Hasher{Backend:*backend}).Sum(context.Background(),items);e!=nil{panic(e)}
  d2,c2:=time.Since(t),cpu()-c
  fmt.Printf("plain %.3fs cpu %.2f (%.2f GB/s)  ours %.3fs cpu %.2f (%.2f GB/s)  wall ratio %.2f cpu ratio %.2f\n",d1.Seconds(),c1,float64(total)/d1.Seconds()/1e9,d2.Seconds(),c2,float64(total)/d2.Seconds()/1e9,d1.Seconds()/d2.Seconds(),c1/c2)
 }
}
