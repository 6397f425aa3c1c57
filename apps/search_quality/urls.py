"""The pages of search quality."""

from django.urls import path

from apps.search_quality import views

urlpatterns = [
    path("", views.quality, name="search_quality"),
    path("promote/", views.promote_answer, name="promote_answer"),
    path("evaluate/", views.evaluate_now, name="evaluate_search"),
    path("recent/clear/", views.clear_recent, name="clear_recent"),
    path("<int:pk>/forget/", views.forget, name="forget_golden"),
]
