// bench/simulate/platform.cpp - the cluster of topology.h as a platform that SimGrid loads
//
// C++ because SimGrid's platform interface is. The environment says which: RECUA_FABRIC (a spec as
// in topology.h), RECUA_RANKS, RECUA_PER_NODE. Hosts are called n0, n1, ...: one a rank.
// Limits: SimGrid keeps one route a pair of hosts, so messages are not split (paths=, spray).
#include <simgrid/s4u.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/simulate/topology.h"

namespace sg4 = simgrid::s4u;

static std::string environment(const char *name)
{
    const char *text = std::getenv(name);
    if (text == nullptr) throw std::invalid_argument(std::string(name) + " is not set");
    return text;
}

static simulate_fabric read_fabric()
{
    const std::string spec = environment("RECUA_FABRIC");
    simulate_fabric f;
    rt_status st =
        simulate_fabric_parse(spec.c_str(), std::atoi(environment("RECUA_RANKS").c_str()),
                              std::atoi(environment("RECUA_PER_NODE").c_str()), &f);
    if (st != RT_OK) throw std::invalid_argument("RECUA_FABRIC is no fabric: " + spec);
    if (f.paths != 1) throw std::invalid_argument("SimGrid has one path a pair: " + spec);
    return f;
}

static const sg4::Link *make_link(sg4::NetZone *zone, const simulate_fabric &f, int i)
{
    const auto policy = simulate_link_shared(&f, i) ? sg4::Link::SharingPolicy::SHARED
                                                    : sg4::Link::SharingPolicy::FATPIPE;
    return zone->create_link("l" + std::to_string(i), simulate_link_bytes_per_s(&f, i))
        ->set_latency(f.link_s)
        ->set_sharing_policy(policy)
        ->seal();
}

extern "C" void load_platform(const sg4::Engine &engine);

void load_platform(const sg4::Engine &)
{
    const simulate_fabric f = read_fabric();
    auto *zone = sg4::create_full_zone("cluster");
    std::vector<sg4::Host *> hosts;
    std::vector<const sg4::Link *> links;

    for (int i = 0; i < f.ranks; i++)
        hosts.push_back(zone->create_host("n" + std::to_string(i), 1e12));
    for (int i = 0; i < simulate_links(&f); i++) links.push_back(make_link(zone, f, i));
    for (int a = 0; a < f.ranks; a++) {
        for (int b = 0; b < f.ranks; b++) {
            int route[SIMULATE_HOPS];
            std::vector<sg4::LinkInRoute> crossed;
            if (a == b) continue;
            const int n = simulate_route(&f, a, b, 0, route);
            for (int i = 0; i < n; i++) crossed.emplace_back(links[route[i]]);
            zone->add_route(hosts[a]->get_netpoint(), hosts[b]->get_netpoint(), nullptr, nullptr,
                            crossed, false);
        }
    }
    zone->seal();
}
