wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"m","messages":[{"role":"user","content":"fact 1"}],"stream":true,"stream_options":{"include_usage":true}}'
