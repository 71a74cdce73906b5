/** nginx as the upstream of measurements: an empty 200. */
export const nginxConfig = ({ port, scratch }: { readonly port: number; readonly scratch: string }): string =>
  `daemon off; worker_processes 1; pid ${scratch}/nginx.pid; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${scratch}/b; proxy_temp_path ${scratch}/p; fastcgi_temp_path ${scratch}/f;
 uwsgi_temp_path ${scratch}/u; scgi_temp_path ${scratch}/s;
 keepalive_requests 1000000000; server { listen 127.0.0.1:${port}; location / { return 200; } } }
`
