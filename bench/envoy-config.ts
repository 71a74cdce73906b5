/** Envoy as it is measured: one listener, with or without our check, in front of an upstream or of an answer of its own. */

export type EnvoyShape = {
  readonly port: number
  /** The gRPC check; undefined: nobody is asked. */
  readonly check: number | undefined
  /** undefined: Envoy answers by itself. */
  readonly upstream: number | undefined
}

const address = (port: number) => `{socket_address: {address: 127.0.0.1, port_value: ${port}}}`

const cluster = (name: string, port: number, protocol = '') => `
  - name: ${name}
    type: STATIC${protocol}
    load_assignment:
      cluster_name: ${name}
      endpoints: [{lb_endpoints: [{endpoint: {address: ${address(port)}}}]}]`

const HTTP2 = `
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}`

const EXT_AUTHZ = `
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              grpc_service: {envoy_grpc: {cluster_name: check}, timeout: 1s}`

export function envoyConfig({ port, check, upstream }: EnvoyShape): string {
  const route = upstream === undefined ? 'direct_response: {status: 200}' : 'route: {cluster: upstream}'
  const clusters = [
    ...(check === undefined ? [] : [cluster('check', check, HTTP2)]),
    ...(upstream === undefined ? [] : [cluster('upstream', upstream)]),
  ]
  return `static_resources:
  listeners:
  - address: ${address(port)}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, ${route}}]}]
          http_filters:${check === undefined ? '' : EXT_AUTHZ}
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:${clusters.join('') || ' []'}
`
}
